import { OwnDuties } from '../../../daemon/store/duties.js'
import { describeDuties } from '../../contract/duties.js'

describeDuties('OwnDuties', () => Promise.resolve({ own: new OwnDuties() }))
