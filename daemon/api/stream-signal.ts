import type { FastifyReply } from 'fastify'
import { Unavailable } from '../../base/errors.js'

/** Aborted when the client goes away, or when the API closes; never after the answer is complete and nobody waits. */
export function streamSignal(reply: FastifyReply, closing: AbortSignal): AbortSignal {
  const stream = new AbortController()
  const close = () => stream.abort(new Unavailable('stopping', 'stagerd is stopping: ask again when it is back.'))
  if (closing.aborted) close()
  // Not `AbortSignal.any`: what it makes lives as long as `closing`, which is as long as the daemon.
  closing.addEventListener('abort', close, { once: true })
  reply.raw.once('close', () => {
    closing.removeEventListener('abort', close)
    stream.abort(new Unavailable('client-gone', 'The client went away.'))
  })
  return stream.signal
}
