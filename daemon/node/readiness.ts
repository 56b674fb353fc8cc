import { Unavailable } from '../../base/errors.js'
import type { Isolation } from '../../isolation/isolation.js'
import type { StagingService } from '../staging/staging-service.js'

/** How long what was found about the firewall holds, in milliseconds: to look takes several programs. */
const FIREWALL_HOLDS_MS = 15_000

export interface ReadinessParts {
  readonly isolation: Pick<Isolation, 'ping' | 'examineFirewall'>
  readonly stagings: Pick<StagingService, 'ready' | 'draining'>
  readonly database: { ping(): Promise<void> }
}

/** Whether queued stagings are started, for /readyz and for the service manager. */
export class Readiness {
  readonly #parts: ReadinessParts
  #firewall: { readonly at: number; readonly fault: string | undefined } | undefined

  constructor(parts: ReadinessParts) {
    this.#parts = parts
  }

  /** Throws `Unavailable` (`database-unreachable` and others of the database, `engine-down`, `firewall-unusable`, `starting`, `draining`), which says what is missing. */
  async assertReady(): Promise<void> {
    const { isolation, stagings, database } = this.#parts
    await database.ping()
    await isolation.ping()
    const fault = await this.#firewallFault()
    if (fault !== undefined) throw new Unavailable('firewall-unusable', `The firewall cannot be used: ${fault}.`)
    if (!stagings.ready)
      throw new Unavailable('starting', 'stagerd is still cleaning up after its last run: wait a moment.')
    if (stagings.draining)
      throw new Unavailable(
        'draining',
        'The node is draining: queued stagings wait for `stagectl node undrain`, or for a restart of stagerd.',
      )
  }

  async #firewallFault(): Promise<string | undefined> {
    const now = performance.now()
    if (!this.#firewall || now - this.#firewall.at > FIREWALL_HOLDS_MS) {
      const findings = await this.#parts.isolation.examineFirewall()
      this.#firewall = { at: now, fault: findings.find(({ verdict }) => verdict === 'bad')?.message }
    }
    return this.#firewall.fault
  }
}
