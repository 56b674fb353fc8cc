import type { FastifyReply } from 'fastify'
import { Unavailable } from '../../base/errors.js'

/**
 * Aborted when the connection of the client closes, or when the API closes; at once if that was before, while the database was
 * asked about the request.
 */
export function streamSignal(
  { raw, request }: Pick<FastifyReply, 'raw' | 'request'>,
  closing: AbortSignal,
): AbortSignal {
  const stream = new AbortController()
  // Node.js does not close a response that waits behind another one with their connection.
  const { socket } = request.raw
  const close = () => stream.abort(new Unavailable('stopping', 'stagerd is stopping: try again after its restart.'))
  const gone = () => {
    closing.removeEventListener('abort', close)
    raw.off('close', gone)
    socket.off('close', gone)
    stream.abort(new Unavailable('client-gone', 'The client closed the connection.'))
  }
  if (closing.aborted) close()
  // Neither of them says again that it is closed.
  if (raw.destroyed || raw.closed || socket.destroyed) {
    gone()
    return stream.signal
  }
  // Not `AbortSignal.any`: its result lives as long as `closing`, and so as long as the daemon.
  closing.addEventListener('abort', close, { once: true })
  raw.once('close', gone)
  socket.once('close', gone)
  return stream.signal
}
