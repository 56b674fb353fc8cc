import { errnoOf, StagerdError } from '../../base/errors.js'
import { describeSystemError, isSystemError } from '../../base/system-error.js'
import { certificateError } from './certificate-error.js'
import type { Endpoint } from './endpoint.js'

/** The socket refuses the connection, or the connection broke before the response was complete. A retry may succeed. */
export class DaemonUnreachable extends StagerdError {
  override readonly kind = 'unavailable'
}

const NOT_LISTENING = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTSOCK', 'ENOTDIR'])
const BUSY = 'EAGAIN'
const FORBIDDEN = new Set(['EACCES', 'EPERM'])
const CONNECTION_LOST = new Set(['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'])

/** Translates a transport error to `DaemonUnreachable`. Returns any other error unchanged. */
export function transportError(error: unknown, endpoint: Endpoint): unknown {
  const message = endpoint.kind === 'socket' ? socketError(error, endpoint.path) : addressError(error, endpoint.url)
  if (message) return new DaemonUnreachable(...message, { cause: error })
  if (CONNECTION_LOST.has(errnoOf(error) ?? ''))
    return new DaemonUnreachable(
      'connection-lost',
      'stagerd closed the connection before it answered: check it with `stagectl node status`.',
      { cause: error },
    )
  return error
}

type Sentence = readonly [code: string, message: string]

function socketError(error: unknown, socketPath: string): Sentence | undefined {
  const errno = errnoOf(error) ?? ''
  if (NOT_LISTENING.has(errno))
    return [
      'no-daemon',
      `No stagerd answers at ${socketPath}: start it with \`sudo stagerd\`, or set --socket or STAGERD_SOCKET.`,
    ]
  if (FORBIDDEN.has(errno))
    return ['socket-forbidden', `You have no permission to open ${socketPath}: join the group stagerd, or use sudo.`]
  if (!isSystemError(error) || error.syscall !== 'connect') return undefined
  if (errno === BUSY) return ['daemon-busy', `stagerd at ${socketPath} has too many connections that wait: try again.`]
  return [
    'no-daemon',
    `${socketPath} is not a socket that can be opened (${describeSystemError(error)}): correct --socket or STAGERD_SOCKET.`,
  ]
}

function addressError(error: unknown, url: string): Sentence | undefined {
  const { hostname } = new URL(url)
  switch (errnoOf(error)) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return ['no-such-host', `The name ${hostname} has no address: correct the address ${url}, or check the network.`]
    case 'ECONNREFUSED':
      return [
        'no-daemon',
        `No stagerd answers at ${url}: correct the address, or set control-address in the settings of that node.`,
      ]
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return ['no-daemon', `${url} cannot be reached: correct the address, or check the network and its firewalls.`]
    default:
      return certificateError(error, url)
  }
}
