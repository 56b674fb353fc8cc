import { InProcessWakeups } from '../../../daemon/store/wakeups.js'
import { describeWakeups } from '../../contract/wakeups.js'

describeWakeups('the wake-ups of one process', () => {
  const wakeups = new InProcessWakeups()
  return Promise.resolve({ nodes: [wakeups, wakeups], close: () => Promise.resolve() })
})
