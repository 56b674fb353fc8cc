import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { Fault } from '../../base/errors.js'
import type { CoordinatorListener } from '../../isolation/isolation.js'
import { COORDINATOR_LIMITS, type CoordinatorLimits } from './coordinator-limits.js'
import type { Exchange } from './exchange.js'
import type { LaunchDesk } from './launch-desk.js'
import { openListener } from './launch-listener.js'
import { LaunchSession } from './launch-session.js'
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
  readonly #exchanges = new WeakMap<IncomingMessage, Exchange>()

  constructor(parts: { readonly logger: Pick<Logger, 'error'>; readonly limits?: Partial<CoordinatorLimits> }) {
    this.#limits = { ...COORDINATOR_LIMITS, ...parts.limits }
    this.#api = buildStagerApi(parts.logger, (request) => this.#exchangeOf(request))
  }

  /**
   * Listen on `address` for the launch of `desk`. The caller closes the listener. Throws `Fault` (`coordinator-listen`).
   */
  async open(desk: LaunchDesk, address: string): Promise<CoordinatorListener> {
    await this.#api.ready()
    return openListener(address, {
      session: new LaunchSession(desk),
      limits: this.#limits,
      route: (exchange) => {
        this.#exchanges.set(exchange.request, exchange)
        this.#api.routing(exchange.request, exchange.response)
      },
    })
  }

  #exchangeOf(request: IncomingMessage): Exchange {
    const exchange = this.#exchanges.get(request)
    if (!exchange) throw new Fault('coordinator-stray', 'A request came to the Stager API without a launch.')
    return exchange
  }
}
