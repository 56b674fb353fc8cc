import { setTimeout as delay } from 'node:timers/promises'
import type { Firewall } from './firewall.js'
import type { FirewallPlan } from './firewall-rules.js'

/** Whom it concerns when the rules of a container are not what they should be. */
export interface FirewallConcern {
  /** They were not whole, and are again. */
  restored(): void
  /** They cannot be made whole: the container must not go on. Told once, or not at all. */
  lost(error: unknown): void
}

interface Guarded extends FirewallPlan {
  readonly concern: FirewallConcern
  /** In a row. */
  failures: number
}

/** A look is two short programs, while anything runs at all. */
const EVERY_MS = 1_000

/** Another program may hold the lock of iptables, or be about to put in rules of its own. */
const FAILURES_TO_BEAR = 5

/**
 * Keeps the rules of containers there while they may run: a reload of the host's firewall, or somebody's `iptables -F`,
 * takes everybody's away, and tells nobody.
 *
 * INVARIANT. After `remove` or `removeWhere` has resolved, no look puts the rules back.
 */
export class FirewallGuard {
  readonly #guarded = new Map<string, Guarded>()
  readonly #restoring = new Map<string, Promise<void>>()
  #looking = false

  constructor(
    private readonly firewall: Pick<Firewall, 'add' | 'incomplete' | 'removeWhere'>,
    private readonly everyMs = EVERY_MS,
  ) {}

  /** Throws as `Firewall.add`; then nothing is guarded. */
  async add(plan: FirewallPlan, concern: FirewallConcern, signal: AbortSignal): Promise<void> {
    await this.firewall.add(plan, signal)
    this.#guarded.set(plan.comment, { ...plan, concern, failures: 0 })
    if (!this.#looking) void this.#lookAgainAndAgain()
  }

  /** Also right when they were never added, or are gone. */
  async remove({ comment }: FirewallPlan, signal: AbortSignal): Promise<void> {
    await this.removeWhere((other) => other === comment, signal)
  }

  /** As `Firewall.removeWhere`, and guards them no longer: what a sweep removes stays away. */
  async removeWhere(isOurs: (comment: string) => boolean, signal?: AbortSignal): Promise<string[]> {
    for (const comment of [...this.#guarded.keys()].filter(isOurs)) this.#guarded.delete(comment)
    for (const [comment, restoring] of this.#restoring) if (isOurs(comment)) await restoring
    return await this.firewall.removeWhere(isOurs, signal)
  }

  /** Never rejects. */
  async #lookAgainAndAgain(): Promise<void> {
    this.#looking = true
    for (;;) {
      await delay(this.everyMs, undefined, { ref: false })
      if (this.#guarded.size === 0) break
      await this.#look()
    }
    this.#looking = false
  }

  async #look(): Promise<void> {
    const all = [...this.#guarded.values()]
    let incomplete: Guarded[]
    try {
      incomplete = await this.firewall.incomplete(all)
    } catch (error) {
      for (const one of all) this.#failed(one, error)
      return
    }
    for (const one of all) if (!incomplete.includes(one)) one.failures = 0
    for (const one of incomplete) await this.#restore(one)
  }

  async #restore(one: Guarded): Promise<void> {
    // It was removed since we looked.
    if (!this.#guarded.has(one.comment)) return
    const restoring = this.firewall.add(one).then(
      () => {
        one.failures = 0
        one.concern.restored()
      },
      (error: unknown) => {
        this.#failed(one, error)
      },
    )
    this.#restoring.set(one.comment, restoring)
    await restoring
    this.#restoring.delete(one.comment)
  }

  #failed(one: Guarded, error: unknown): void {
    one.failures += 1
    if (one.failures >= FAILURES_TO_BEAR && this.#guarded.delete(one.comment)) one.concern.lost(error)
  }
}
