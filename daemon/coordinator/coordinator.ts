import type { Logger } from 'pino'
import type { CoordinatorListener } from './coordinator-listener.js'
import { COORDINATOR_LIMITS, type CoordinatorLimits } from './coordinator-limits.js'
import { HttpSession } from './http-session.js'
import type { LaunchHandler } from './launch-handler.js'
import { openListener } from './launch-listener.js'

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

  /** Listen on `address` for the launch of `handler`. The caller closes it. Throws `Fault` (`coordinator-listen`). */
  open(handler: LaunchHandler, address: string): Promise<CoordinatorListener> {
    return openListener(address, { session: new HttpSession(handler), limits: this.#limits, logger: this.#logger })
  }
}
