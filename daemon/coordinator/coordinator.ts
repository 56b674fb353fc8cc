import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { Fault } from '../../base/errors.js'
import type { CoordinatorListener } from './coordinator-listener.js'
import { COORDINATOR_LIMITS, type CoordinatorLimits } from './coordinator-limits.js'
import type { StagerRequest } from './stager-request.js'
import type { LaunchHandler } from './launch-handler.js'
import { openListener } from './launch-listener.js'
import { HttpSession } from './http-session.js'
import { buildStagerApi } from './stager-api.js'

/**
 * The staging coordinator: the Stager API, on one listener for each launch.
 *
 *   STAGER_URL ──> LaunchListener (a node:http server, the launch's own) ──┐
 *   STAGER_URL ──> LaunchListener ─────────────────────────────────────────┼──> one Fastify instance: routes
 *                        └── LaunchSession: order of arrival, verdict      │
 *                                  └── LaunchDesk: what requests mean  <───┘
 *
 * Routes are built once, so that opening a listener costs no more than a socket.
 */
export class Coordinator {
  readonly #api: FastifyInstance
  readonly #limits: CoordinatorLimits
  readonly #exchanges = new WeakMap<IncomingMessage, StagerRequest>()

  constructor(parts: { readonly logger: Pick<Logger, 'error'>; readonly limits?: Partial<CoordinatorLimits> }) {
    this.#limits = { ...COORDINATOR_LIMITS, ...parts.limits }
    this.#api = buildStagerApi(parts.logger, (request) => this.#exchangeOf(request))
  }

  /**
   * Listen on `address` for the launch of `handler`. The caller closes the listener. Throws `Fault` (`coordinator-listen`).
   */
  async open(handler: LaunchHandler, address: string): Promise<CoordinatorListener> {
    await this.#api.ready()
    return openListener(address, {
      session: new HttpSession(handler),
      limits: this.#limits,
      route: (exchange) => {
        this.#exchanges.set(exchange.request, exchange)
        this.#api.routing(exchange.request, exchange.response)
      },
    })
  }

  #exchangeOf(request: IncomingMessage): StagerRequest {
    const exchange = this.#exchanges.get(request)
    if (!exchange) throw new Fault('coordinator-stray', 'A request came to the Stager API without a launch.')
    return exchange
  }
}
