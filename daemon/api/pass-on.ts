import type { FastifyReply, FastifyRequest } from 'fastify'
import { Conflict } from '../../base/errors.js'
import { isAdministrator, type Caller } from '../access/caller.js'
import type { Callers } from '../access/callers.js'
import { headersOf } from '../access/passed-on.js'
import type { Peers } from '../peers/peers.js'
import type { NodeRepository } from '../store/node-repository.js'
import type { Api } from './fastify.js'
import type { Home, Homes } from './homes.js'
import { streamSignal } from './stream-signal.js'
import { withoutPlaces } from './without-places.js'

export interface PassOnParts {
  readonly homes: Pick<Homes, 'of' | 'self'>
  readonly nodes: Pick<NodeRepository, 'get'>
  readonly peers: Pick<Peers, 'ask'>
  readonly callers: Pick<Callers, 'passedOn'>
}

/** What an answer keeps on its way through this node. The rest is about the connection to the other one. */
const OF_ANSWERS = ['content-type', 'content-length', 'cache-control', 'location', 'retry-after', 'www-authenticate']
/** The same of a request. Not its token: see `headersOf`. */
const OF_REQUESTS = ['accept', 'content-type', 'last-event-id'] as const
/** The body of another request means nothing, and is not passed on. */
const WITH_BODY = ['POST', 'PUT', 'PATCH']

/**
 * Passes requests on that only another node can answer, for the caller that this one has heard. The other one judges again what
 * that caller may do. A request is passed on once: what comes from a node is answered here, or refused.
 */
export class PassOn {
  readonly #parts: PassOnParts

  constructor(parts: PassOnParts) {
    this.#parts = parts
  }

  /** Refuses what is meant for another node. To be added when it is known who asks. */
  addAddressee(api: Api): void {
    const { callers, homes } = this.#parts
    api.addHook('onRequest', (request, _reply, done) => {
      const to = callers.passedOn(request)?.to
      done(to === undefined || to === homes.self ? undefined : toldTo(request.caller, misdirected(to, homes.self)))
    })
  }

  /** Passes on what belongs to nodes that are found so. */
  add(api: Api, home: Home, closing: AbortSignal): void {
    api.addHook('preHandler', async (request, reply) => {
      if (request.routeOptions.config.home !== home) return undefined
      try {
        const node = await this.#parts.homes.of(home, request)
        return node === undefined ? undefined : await this.#pass(node, request, reply, closing)
      } catch (error) {
        throw toldTo(request.caller, error as Error)
      }
    })
  }

  async #pass(uuid: string, request: FastifyRequest, reply: FastifyReply, closing: AbortSignal): Promise<FastifyReply> {
    const { nodes, peers, homes, callers } = this.#parts
    if (callers.passedOn(request)) throw misdirected(uuid, homes.self)
    const { method, url, headers, caller, socket } = request
    const passedOn = { through: homes.self, to: uuid, from: socket.remoteAddress }
    const hasBody = WITH_BODY.includes(method)
    const kept = OF_REQUESTS.flatMap((name) => {
      const value = name === 'content-type' && !hasBody ? undefined : headers[name]
      return value === undefined ? [] : [[name, String(value)]]
    })
    const answer = await peers.ask(await nodes.get(uuid), {
      ...{ method, path: url, body: hasBody ? bodyOf(request) : undefined },
      headers: { ...(Object.fromEntries(kept) as Record<string, string>), ...headersOf(caller, passedOn) },
      signal: streamSignal(reply, closing),
    })
    // The other node has written what was asked for, and how it ended.
    request.notes.written = true
    for (const name of OF_ANSWERS) {
      const value = answer.headers[name]
      if (value !== undefined) void reply.header(name, value)
    }
    void reply.code(answer.statusCode ?? 502)
    if (answer.statusCode !== 204) return reply.send(answer)
    answer.resume()
    return reply.send(null)
  }
}

/** What was read already, or what the handler would read itself; undefined if there is no body, or it said nothing (`null`). */
function bodyOf({ raw, headers, body }: FastifyRequest) {
  if (body !== undefined && body !== null) return JSON.stringify(body)
  const has = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
  return has && headers['content-length'] !== '0' && !raw.readableEnded ? raw : undefined
}

/** Where nodes are is for administrators. */
function toldTo(caller: Caller, error: Error): Error {
  return isAdministrator(caller) ? error : withoutPlaces(error)
}

function misdirected(to: string, self: string): Conflict {
  return new Conflict(
    'misdirected',
    `The request was passed on to this node, ${self}, but belongs to the node ${to}: correct the node-address of that one, which leads here, or ask again.`,
  )
}
