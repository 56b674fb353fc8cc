import type { Finding } from '../../isolation/isolation.js'
import type { NodeStatus } from '../documents/node.js'
import type { RequestsStatus } from './staging-requests.js'

/** What `node doctor` says of staging requests. Nothing where they are turned off. */
export function requestFindings(status: RequestsStatus | undefined): readonly Finding[] {
  if (!status) return []
  const subject = 'staging requests'
  if (status.fault === undefined) return [{ subject, verdict: 'good', message: 'they are taken from NATS' }]
  return [{ subject, verdict: 'bad', message: `none can be taken. ${status.fault.replace(/\.$/, '')}` }]
}

/** For `node status`. */
export function renderRequests(status: RequestsStatus | undefined): NodeStatus['cloud_foundry'] {
  if (!status) return undefined
  const { fault, active, waiting } = status
  return { ready: fault === undefined, message: fault ?? 'Staging requests are taken from NATS.', active, waiting }
}
