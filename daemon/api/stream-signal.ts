import type { FastifyReply } from 'fastify'
import { Unavailable } from '../../base/errors.js'

/** Aborted when the connection of the client closes, or when the API closes. */
export function streamSignal(reply: Pick<FastifyReply, 'raw'>, closing: AbortSignal): AbortSignal {
  const stream = new AbortController()
  const close = () => stream.abort(new Unavailable('stopping', 'stagerd is stopping: try again after its restart.'))
  if (closing.aborted) close()
  // Not `AbortSignal.any`: its result lives as long as `closing`, and so as long as the daemon.
  closing.addEventListener('abort', close, { once: true })
  reply.raw.once('close', () => {
    closing.removeEventListener('abort', close)
    stream.abort(new Unavailable('client-gone', 'The client closed the connection.'))
  })
  return stream.signal
}
