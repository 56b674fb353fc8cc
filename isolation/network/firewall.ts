import { Fault, messageOf } from '../../base/errors.js'
import { orAborted } from '../../base/or-aborted.js'
import { settleAll } from '../../base/settle-all.js'
import { disableIpv6, takesIpv6 } from './bridge-ipv6.js'
import { FirewallChanges } from './firewall-changes.js'
import {
  areThere,
  deletionsOf,
  forwardChainsIn,
  insertionsOf,
  replacementOf,
  rulesForIpv4,
  rulesInSaved,
  transaction,
  type FirewallPlan,
  type Rule,
} from './firewall-rules.js'
import { restore, restoreSoon, save } from './iptables.js'

/**
 * Rules in the host's packet filter for the bridges of stagerd.
 *
 * INVARIANTS
 * - Only rules with a comment of stagerd are removed. The rules of others stay as they are, in their order.
 * - The rules of a plan are set in one transaction: all of them or none.
 */
export class Firewall {
  readonly #changes = new FirewallChanges((lines) => restoreSoon(transaction(lines)))
  /** What this process has set, or begun to set, by comment. */
  readonly #ours = new Map<string, readonly Rule[]>()
  /** As of the last look at the table. */
  #forwardChains: readonly string[] | undefined

  /**
   * Sets the rules of `plan`, and replaces those of an earlier call.
   *
   * Throws `Fault` (`firewall-failed`); then the container must not be started.
   */
  async add(plan: FirewallPlan, signal?: AbortSignal): Promise<void> {
    try {
      await settleAll([this.#set(plan, signal), disableIpv6(plan.bridge)])
    } catch (error) {
      signal?.throwIfAborted()
      throw new Fault(
        'firewall-failed',
        `The firewall rules of bridge ${plan.bridge} cannot be set (${messageOf(error)}): stagerd needs root and a working iptables.`,
        { cause: error },
      )
    }
  }

  /** Those of `plans` with missing rules. */
  async incomplete<T extends FirewallPlan>(plans: readonly T[]): Promise<T[]> {
    const { rules, forwardChains } = await this.#look()
    return plans.filter(
      (plan) => takesIpv6(plan.bridge) || !areThere(rulesForIpv4(plan, forwardChains), plan.comment, rules),
    )
  }

  /** Removes what this process has set with this comment. Idempotent; also succeeds if that is nothing. */
  async remove(comment: string, signal: AbortSignal): Promise<void> {
    const rules = this.#ours.get(comment)
    if (!rules) return
    const otherwise = async () => {
      await this.removeWhere((other) => other === comment)
    }
    await orAborted(this.#changes.make({ lines: deletionsOf(rules), otherwise, isUrgent: false }), signal)
    this.#ours.delete(comment)
  }

  /** Removes all rules with such a comment, whoever has set them, and returns the comments. */
  async removeWhere(isOurs: (comment: string) => boolean, signal?: AbortSignal): Promise<string[]> {
    const rules = (await this.#look(signal)).rules.filter(({ comment }) => isOurs(comment))
    if (rules.length > 0) await restore(replacementOf(rules, []), signal)
    const comments = [...new Set(rules.map(({ comment }) => comment))]
    for (const comment of comments) this.#ours.delete(comment)
    return comments
  }

  /** Without a look at the table where nothing can be left of an earlier call: it takes as long as the change. */
  async #set(plan: FirewallPlan, signal: AbortSignal | undefined): Promise<void> {
    const { comment } = plan
    if (this.#ours.has(comment) || !this.#forwardChains) {
      await this.#replace(plan, signal)
      return
    }
    const rules = rulesForIpv4(plan, this.#forwardChains)
    this.#ours.set(comment, rules)
    const otherwise = () => this.#replace(plan, signal)
    const made = this.#changes.make({ lines: insertionsOf(rules), otherwise, signal, isUrgent: true })
    await (signal ? orAborted(made, signal) : made)
  }

  async #replace(plan: FirewallPlan, signal: AbortSignal | undefined): Promise<void> {
    const { rules: saved, forwardChains } = await this.#look(signal)
    const left = saved.filter(({ comment }) => comment === plan.comment)
    const rules = rulesForIpv4(plan, forwardChains)
    this.#ours.set(plan.comment, rules)
    await restore(replacementOf(left, rules), signal)
  }

  async #look(signal?: AbortSignal) {
    const saved = await save(signal)
    this.#forwardChains = forwardChainsIn(saved)
    return { rules: rulesInSaved(saved), forwardChains: this.#forwardChains }
  }
}
