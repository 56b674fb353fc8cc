import type { IncomingMessage } from 'node:http'
import type { FastifyReply } from 'fastify'

/** How long a client that was refused may go on sending before its connection is cut, in milliseconds. */
const LINGER_MS = 10_000

/**
 * Refused or not, what is left of the body is read and dropped: a connection that is closed on a client that is still
 * sending may be reset before the client has read why.
 */
export function lingerOnRefusal(request: IncomingMessage, reply: FastifyReply): void {
  reply.raw.once('finish', () => {
    if (request.complete) return
    const cut = setTimeout(() => request.destroy(), LINGER_MS).unref()
    request.once('close', () => clearTimeout(cut)).resume()
  })
}
