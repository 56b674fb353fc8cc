import { errnoOf, messageOf, StagerdError } from '../../base/errors.js'

/** Nobody answers on the socket, or whoever did went away in the middle. The same request may succeed later. */
export class DaemonUnreachable extends StagerdError {}

const NOT_LISTENING = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTSOCK', 'ENOTDIR'])
const FORBIDDEN = new Set(['EACCES', 'EPERM'])
const BROKEN_OFF = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'UND_ERR_CLOSED', 'UND_ERR_CONNECT_TIMEOUT'])

/** The words for a failure of the transport; anything else is handed back as it is. */
export function transportError(error: unknown, socketPath: string): unknown {
  const errno = errnoOf(error) ?? ''
  if (NOT_LISTENING.has(errno))
    return new DaemonUnreachable(
      'no-daemon',
      `No stagerd answers at ${socketPath}: start it with \`sudo stagerd\`, or name its socket with --socket or STAGERD_SOCKET.`,
      { cause: error },
    )
  if (FORBIDDEN.has(errno))
    return new DaemonUnreachable(
      'socket-forbidden',
      `You may not open ${socketPath}: join the group of the socket (stagerd), or use sudo.`,
      { cause: error },
    )
  if (BROKEN_OFF.has(errno) || messageOf(error) === 'terminated')
    return new DaemonUnreachable(
      'connection-lost',
      'stagerd broke the connection off before it had answered: see whether it still runs with `stagectl node status`.',
      { cause: error },
    )
  return error
}
