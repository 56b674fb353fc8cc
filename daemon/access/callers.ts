import type { IncomingMessage, Server } from 'node:http'
import { TooManyRequests, Unauthenticated } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { Token } from '../model/token.js'
import type { TokenRepository } from '../store/token-repository.js'
import { SOCKET, type Caller } from './caller.js'
import { FailedLogins } from './failed-logins.js'
import { HEADERS, headerOf, type PassedOn } from './passed-on.js'
import { hashOf } from './secret.js'

type Asking = Pick<IncomingMessage, 'socket' | 'headers'>

/** Tells who asks. */
export interface Callers {
  /** Throws `Unauthenticated` (`token-missing`, `token-invalid`, `token-expired`), `TooManyRequests` (`too-many-failures`). */
  of(request: Asking): Promise<Caller>
  /** What another node says of a request that it has passed on; undefined for one that its client has sent here. */
  passedOn(request: Asking): PassedOn | undefined
}

/**
 * A connection over the control socket needs no token, and one of another node says whose request it is; every other one needs a
 * token.
 *
 * The connections are known from their server and not by what they look like, because a TCP connection that has been
 * reset has no address any more, either.
 */
export class TokenCallers implements Callers {
  readonly #tokens: Pick<TokenRepository, 'find' | 'get'>
  readonly #failures: FailedLogins
  readonly #now: () => Date
  readonly #local = new WeakSet<object>()
  readonly #ofNodes = new WeakSet<object>()

  constructor(
    tokens: Pick<TokenRepository, 'find' | 'get'>,
    failures: FailedLogins = new FailedLogins(),
    now: () => Date = () => new Date(),
  ) {
    this.#tokens = tokens
    this.#failures = failures
    this.#now = now
  }

  /** As long as this server listens on a Unix socket, its connections need no token. */
  trust(server: Server): void {
    server.on('connection', (connection) => {
      if (typeof server.address() === 'string') this.#local.add(connection)
    })
  }

  /** The other side of this connection has proved that it is a node: what it says of whom it asks for is true. */
  trustNode(connection: object): void {
    this.#ofNodes.add(connection)
  }

  passedOn({ socket, headers }: Asking): PassedOn | undefined {
    if (!this.#ofNodes.has(socket)) return undefined
    return {
      through: headerOf(headers, HEADERS.through) ?? 'unknown',
      to: headerOf(headers, HEADERS.to) ?? 'unknown',
      from: headerOf(headers, HEADERS.from),
    }
  }

  async of({ socket, headers }: Asking): Promise<Caller> {
    if (this.#local.has(socket)) return SOCKET
    if (this.#ofNodes.has(socket)) return await this.#named(headerOf(headers, HEADERS.caller))
    const { authorization } = headers
    if (authorization === undefined)
      throw new Unauthenticated('token-missing', 'The request has no token: send one as `Authorization: Bearer TOKEN`.')
    const hash = hashOf(/^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? '')
    const token = hash === undefined ? undefined : await this.#tokens.find(hash)
    if (token && new Date(token.expiresAt) > this.#now()) return { kind: 'token', token }
    // A valid token is heard in any case. Otherwise one client with an old token would lock out all that share its address.
    if (this.#failures.add(socket.remoteAddress ?? ''))
      throw new TooManyRequests(
        'too-many-failures',
        'Too many wrong tokens have come from this address: wait a minute, and then send a valid one.',
      )
    if (token) throw expired(token)
    throw new Unauthenticated('token-invalid', 'The token is not valid: it is mistyped, or it was revoked.')
  }

  /** The token is not sent again: its UUID shows what it may do now, and whether it is still valid. */
  async #named(caller: string | undefined): Promise<Caller> {
    if (caller === 'socket') return SOCKET
    if (caller === undefined)
      throw new Unauthenticated(
        'caller-missing',
        'The request does not say for whom it is: this address is for nodes that pass requests on, so ask the control address.',
      )
    const token = await this.#tokens.get(caller)
    if (!token) throw new Unauthenticated('token-invalid', 'The token was revoked.')
    if (new Date(token.expiresAt) <= this.#now()) throw expired(token)
    return { kind: 'token', token }
  }
}

function expired({ name, expiresAt }: Token): Unauthenticated {
  return new Unauthenticated('token-expired', `The token ${quote(name)} expired at ${expiresAt}: have a new one made.`)
}
