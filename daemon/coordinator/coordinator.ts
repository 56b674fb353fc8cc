import type { Logger } from 'pino'
import type { CoordinatorListener } from './coordinator-listener.js'
import { COORDINATOR_LIMITS, type CoordinatorLimits } from './coordinator-limits.js'
import { HttpSession } from './http-session.js'
import type { LaunchHandler } from './launch-handler.js'
import { openListener } from './launch-listener.js'
import { ReservedPort } from './reserved-port.js'

/**
 * The staging coordinator: serves the Stager API, with one listener for each launch.
 *
 *   STAGER_URL ──> launch-listener: the launch's own HTTP server
 *                        └──> stager-api: the table of operations
 *                                  └──> http-session: order of requests, verdict
 *                                            └──> LaunchHandler: what a request means
 */
export class Coordinator {
  readonly #logger: Pick<Logger, 'error'>
  readonly #limits: CoordinatorLimits

  constructor(parts: { readonly logger: Pick<Logger, 'error'>; readonly limits?: Partial<CoordinatorLimits> }) {
    this.#logger = parts.logger
    this.#limits = { ...COORDINATOR_LIMITS, ...parts.limits }
  }

  /** A port of `address` for a launch that comes later. The caller closes it, or passes it to `open`. */
  reserve(address: string): Promise<ReservedPort> {
    return ReservedPort.on(address)
  }

  /**
   * Listen for the launch of `handler`. The caller closes it. Throws `Fault` (`coordinator-listen`).
   *
   * @param port a reserved one; undefined for any
   */
  open(handler: LaunchHandler, address: string, port?: ReservedPort): Promise<CoordinatorListener> {
    return openListener(
      { address, port },
      { session: new HttpSession(handler), limits: this.#limits, logger: this.#logger },
    )
  }
}
