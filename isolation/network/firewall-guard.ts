import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Firewall } from './firewall.js'
import type { FirewallPlan } from './firewall-rules.js'

/** Reports events of its rules to whoever has the network. */
export interface FirewallEvents {
  /** Rules were missing, and have been restored. */
  restored(): void
  /** The rules cannot be restored: the container must be ended. Called at most once. */
  lost(error: unknown): void
}

interface Guarded {
  readonly plan: FirewallPlan
  events: FirewallEvents
  /** The number of consecutive failures. */
  failures: number
}

/** The interval of the checks, each of which runs a short program. */
const EVERY_MS = 1_000

/** Tolerates failures because another program may hold the iptables lock, or be changing its own rules. */
const MAX_FAILURES = 5

/**
 * Restores the rules of networks when they are removed: a reload of the host's firewall, or `iptables -F`, removes the
 * rules of everybody without notice.
 *
 * INVARIANTS
 * - After `remove` or `removeWhere` has resolved, the rules are not restored.
 * - Rules of an earlier plan are not restored after `add` has resolved for another one with the same comment.
 */
export class FirewallGuard {
  readonly #guarded = new Map<string, Guarded>()
  readonly #restoring = new Map<string, Promise<void>>()
  #checking = false

  constructor(
    private readonly firewall: Pick<Firewall, 'add' | 'incomplete' | 'remove' | 'removeWhere'>,
    private readonly everyMs = EVERY_MS,
  ) {}

  /**
   * Replaces the rules of an earlier plan with the same comment. Those of an equal plan stay as they are: they are looked
   * after, whoever has the network. Throws what `Firewall.add` throws; then the rules are not guarded.
   */
  async add(plan: FirewallPlan, events: FirewallEvents, signal: AbortSignal): Promise<void> {
    const { comment } = plan
    const there = this.#guarded.get(comment)
    if (there?.failures === 0 && !this.#restoring.has(comment) && isDeepStrictEqual(there.plan, plan)) {
      there.events = events
      return
    }
    await this.#forget((other) => other === comment)
    await this.firewall.add(plan, signal)
    this.#guarded.set(comment, { plan, events, failures: 0 })
    if (!this.#checking) void this.#keepChecking()
  }

  /** Has the events of these rules reported to somebody else. @returns whether they are guarded */
  report(comment: string, events: FirewallEvents): boolean {
    const there = this.#guarded.get(comment)
    if (there) there.events = events
    return there !== undefined
  }

  /** Stops guarding the rules of this process, and removes them. Idempotent; also succeeds if they were never added. */
  async remove({ comment }: Pick<FirewallPlan, 'comment'>, signal: AbortSignal): Promise<void> {
    await this.#forget((other) => other === comment)
    await this.firewall.remove(comment, signal)
  }

  /** The same for all rules with such a comment, as `Firewall.removeWhere` does. */
  async removeWhere(isOurs: (comment: string) => boolean, signal?: AbortSignal): Promise<string[]> {
    await this.#forget(isOurs)
    return await this.firewall.removeWhere(isOurs, signal)
  }

  async #forget(isOurs: (comment: string) => boolean): Promise<void> {
    for (const comment of [...this.#guarded.keys()].filter(isOurs)) this.#guarded.delete(comment)
    for (const [comment, restoring] of this.#restoring) if (isOurs(comment)) await restoring
  }

  /** Never rejects. */
  async #keepChecking(): Promise<void> {
    this.#checking = true
    for (;;) {
      await delay(this.everyMs, undefined, { ref: false })
      if (this.#guarded.size === 0) break
      await this.#check()
    }
    this.#checking = false
  }

  async #check(): Promise<void> {
    const all = [...this.#guarded.values()]
    let incomplete: readonly FirewallPlan[]
    try {
      incomplete = await this.firewall.incomplete(all.map(({ plan }) => plan))
    } catch (error) {
      for (const one of all) this.#failed(one, error)
      return
    }
    for (const one of all)
      if (incomplete.includes(one.plan)) await this.#restore(one)
      else one.failures = 0
  }

  async #restore(one: Guarded): Promise<void> {
    const { comment } = one.plan
    // It has been removed or replaced since the check.
    if (this.#guarded.get(comment) !== one) return
    const restoring = this.firewall.add(one.plan).then(
      () => {
        one.failures = 0
        one.events.restored()
      },
      (error: unknown) => {
        this.#failed(one, error)
      },
    )
    this.#restoring.set(comment, restoring)
    await restoring
    this.#restoring.delete(comment)
  }

  #failed(one: Guarded, error: unknown): void {
    one.failures += 1
    if (one.failures < MAX_FAILURES || this.#guarded.get(one.plan.comment) !== one) return
    this.#guarded.delete(one.plan.comment)
    one.events.lost(error)
  }
}
