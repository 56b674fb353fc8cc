import type { Logger } from 'pino'
import type { CoordinatorListener } from './coordinator-listener.js'
import { COORDINATOR_LIMITS, type CoordinatorLimits } from './coordinator-limits.js'
import { HttpSession } from './http-session.js'
import type { LaunchHandler } from './launch-handler.js'
import { openListener } from './launch-listener.js'
import { ReservedPort } from './reserved-port.js'

/** Of how many addresses the last port is remembered. */
const MAX_LAST_PORTS = 256

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
  /** By address, the one that has not been asked for for the longest time first. */
  readonly #lastPorts = new Map<string, number>()

  constructor(parts: { readonly logger: Pick<Logger, 'error'>; readonly limits?: Partial<CoordinatorLimits> }) {
    this.#logger = parts.logger
    this.#limits = { ...COORDINATOR_LIMITS, ...parts.limits }
  }

  /**
   * A port of `address` for a launch that comes later: if possible the last one, because the firewall rules of a network that
   * is used again let that through. The caller closes it, or passes it to `open`. Throws `Fault` (`coordinator-listen`).
   */
  async reserve(address: string): Promise<ReservedPort> {
    const reserved = await ReservedPort.on(address, this.#lastPorts.get(address))
    this.#lastPorts.delete(address)
    this.#lastPorts.set(address, reserved.port)
    const [oldest] = this.#lastPorts.keys()
    if (oldest !== undefined && this.#lastPorts.size > MAX_LAST_PORTS) this.#lastPorts.delete(oldest)
    return reserved
  }

  /**
   * Listen for the launch of `handler`. The caller closes it. Throws `Fault` (`coordinator-listen`).
   *
   * @param port a reserved one; undefined for any
   */
  async open(handler: LaunchHandler, address: string, port?: ReservedPort): Promise<CoordinatorListener> {
    return await openListener(
      { address, port: port ?? (await this.reserve(address)) },
      { session: new HttpSession(handler), limits: this.#limits, logger: this.#logger },
    )
  }
}
