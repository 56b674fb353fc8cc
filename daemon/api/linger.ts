import type { IncomingMessage } from 'node:http'
import type { FastifyReply } from 'fastify'

/** How long a client may keep sending after it was refused before its connection is closed, in milliseconds. */
const LINGER_MS = 10_000

/**
 * Read and discard the rest of the body after the answer. Closing the connection while the client is still sending can
 * reset it, and then the client never reads why it was refused.
 */
export function lingerOnRefusal(request: IncomingMessage, reply: FastifyReply): void {
  reply.raw.once('finish', () => {
    if (request.complete) return
    const cut = setTimeout(() => request.destroy(), LINGER_MS).unref()
    request.once('close', () => clearTimeout(cut)).resume()
  })
}
