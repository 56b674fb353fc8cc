import { errnoOf, messageOf, StagerdError } from '../../base/errors.js'
import { describeSystemError, isSystemError } from '../../base/system-error.js'

/** The socket refuses the connection, or the connection broke before the response was complete. A retry may succeed. */
export class DaemonUnreachable extends StagerdError {
  override readonly kind = 'unavailable'
}

const NOT_LISTENING = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTSOCK', 'ENOTDIR'])
const BUSY = 'EAGAIN'
const FORBIDDEN = new Set(['EACCES', 'EPERM'])
const CONNECTION_LOST = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'UND_ERR_CLOSED', 'UND_ERR_CONNECT_TIMEOUT'])

/** Translates a transport error to `DaemonUnreachable`. Returns any other error unchanged. */
export function transportError(error: unknown, socketPath: string): unknown {
  const errno = errnoOf(error) ?? ''
  if (NOT_LISTENING.has(errno))
    return new DaemonUnreachable(
      'no-daemon',
      `No stagerd answers at ${socketPath}: start it with \`sudo stagerd\`, or set --socket or STAGERD_SOCKET.`,
      { cause: error },
    )
  if (FORBIDDEN.has(errno))
    return new DaemonUnreachable(
      'socket-forbidden',
      `You have no permission to open ${socketPath}: join the group stagerd, or use sudo.`,
      { cause: error },
    )
  if (isSystemError(error) && error.syscall === 'connect')
    return new DaemonUnreachable(
      errno === BUSY ? 'daemon-busy' : 'no-daemon',
      errno === BUSY
        ? `stagerd at ${socketPath} has too many connections that wait: try again.`
        : `${socketPath} is not a socket that can be opened (${describeSystemError(error)}): correct --socket or STAGERD_SOCKET.`,
      { cause: error },
    )
  if (CONNECTION_LOST.has(errno) || messageOf(error) === 'terminated')
    return new DaemonUnreachable(
      'connection-lost',
      'stagerd closed the connection before it answered: check it with `stagectl node status`.',
      { cause: error },
    )
  return error
}
