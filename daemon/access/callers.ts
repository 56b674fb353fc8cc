import type { IncomingMessage, Server } from 'node:http'
import { TooManyRequests, Unauthenticated } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { TokenRepository } from '../store/token-repository.js'
import { SOCKET, type Caller } from './caller.js'
import { FailedLogins } from './failed-logins.js'
import { hashOf } from './secret.js'

type Asking = Pick<IncomingMessage, 'socket' | 'headers'>

/** Tells who asks. */
export interface Callers {
  /** Throws `Unauthenticated` (`token-missing`, `token-invalid`, `token-expired`), `TooManyRequests` (`too-many-failures`). */
  of(request: Asking): Promise<Caller>
}

/**
 * A connection over the control socket needs no token; every other one does.
 *
 * The connections are known from their server and not by what they look like, because a TCP connection that has been
 * reset has no address any more, either.
 */
export class TokenCallers implements Callers {
  readonly #tokens: Pick<TokenRepository, 'find'>
  readonly #failures: FailedLogins
  readonly #now: () => Date
  readonly #local = new WeakSet<object>()

  constructor(
    tokens: Pick<TokenRepository, 'find'>,
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

  async of({ socket, headers: { authorization } }: Asking): Promise<Caller> {
    if (this.#local.has(socket)) return SOCKET
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
    if (token)
      throw new Unauthenticated(
        'token-expired',
        `The token ${quote(token.name)} expired at ${token.expiresAt}: have a new one made.`,
      )
    throw new Unauthenticated('token-invalid', 'The token is not valid: it is mistyped, or it was revoked.')
  }
}
