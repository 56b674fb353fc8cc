import { describeIsolation } from '../../contract/isolation.js'
import { dockerIsolation } from '../support/docker-isolation.js'

describeIsolation('DockerIsolation', () => dockerIsolation())
