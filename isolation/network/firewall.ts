import { access, writeFile } from 'node:fs/promises'
import { Fault, messageOf } from '../../base/errors.js'
import {
  areThere,
  forwardChainsIn,
  replacementOf,
  rulesForIpv4,
  rulesForIpv6,
  rulesInSaved,
  type FirewallPlan,
  type Rule,
} from './firewall-rules.js'
import { restore, save, type Tool } from './iptables.js'

/**
 * Rules in the host's packet filter for the bridges of stagerd.
 *
 * INVARIANTS
 * - Only rules with a comment of stagerd are removed. The rules of others stay as they are, in their order.
 * - The rules of a plan are set in one transaction for each protocol: all of them or none.
 */
export class Firewall {
  #ipv6: Promise<Ipv6> | undefined

  /**
   * Sets the rules of `plan`, and replaces those of an earlier call.
   *
   * Throws `Fault` (`firewall-failed`); then the container must not be started.
   */
  async add(plan: FirewallPlan, signal?: AbortSignal): Promise<void> {
    try {
      const ipv6 = await this.#chooseIpv6()
      const results = await Promise.allSettled([
        set('iptables', plan, (saved) => rulesForIpv4(plan, forwardChainsIn(saved)), signal),
        ipv6 === 'filter' ? set('ip6tables', plan, () => rulesForIpv6(plan), signal) : undefined,
        ipv6 === 'switch-off' ? writeFile(`/proc/sys/net/ipv6/conf/${plan.bridge}/disable_ipv6`, '1') : undefined,
      ])
      for (const result of results) if (result.status === 'rejected') throw result.reason
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
    const filtered = (await this.#chooseIpv6()) === 'filter'
    const [saved4, saved6] = await Promise.all([save('iptables'), filtered ? save('ip6tables') : undefined])
    const [there4, there6] = [rulesInSaved(saved4), saved6 === undefined ? undefined : rulesInSaved(saved6)]
    const forwardChains = forwardChainsIn(saved4)
    return plans.filter(
      (plan) =>
        !areThere(rulesForIpv4(plan, forwardChains), plan.comment, there4) ||
        (there6 !== undefined && !areThere(rulesForIpv6(plan), plan.comment, there6)),
    )
  }

  /** Removes all rules with such a comment, and returns the comments. */
  async removeWhere(isOurs: (comment: string) => boolean, signal?: AbortSignal): Promise<string[]> {
    const tools = (await this.#chooseIpv6()) === 'filter' ? TOOLS : (['iptables'] as const)
    const found = await Promise.all(
      tools.map(async (tool) => {
        const rules = rulesInSaved(await save(tool, signal)).filter(({ comment }) => isOurs(comment))
        if (rules.length > 0) await restore(tool, replacementOf(rules, []), signal)
        return rules.map(({ comment }) => comment)
      }),
    )
    return [...new Set(found.flat())]
  }

  /** How IPv6 is blocked on the bridges. */
  ipv6(): Promise<Ipv6> {
    return this.#chooseIpv6()
  }

  #chooseIpv6(): Promise<Ipv6> {
    this.#ipv6 ??= chooseIpv6()
    return this.#ipv6
  }
}

/** `absent`: a kernel without IPv6. `switch-off`: no working ip6tables, so IPv6 is disabled on the bridge itself. */
export type Ipv6 = 'filter' | 'switch-off' | 'absent'

const TOOLS = ['iptables', 'ip6tables'] as const

async function chooseIpv6(): Promise<Ipv6> {
  try {
    await access('/proc/net/if_inet6')
  } catch {
    return 'absent'
  }
  try {
    // Whatever a launch needs: a list of one chain also succeeds where the table cannot be saved.
    await save('ip6tables')
    return 'filter'
  } catch {
    return 'switch-off'
  }
}

async function set(
  tool: Tool,
  { comment }: FirewallPlan,
  rules: (saved: string) => readonly Rule[],
  signal?: AbortSignal,
): Promise<void> {
  const saved = await save(tool, signal)
  const left = rulesInSaved(saved).filter((rule) => rule.comment === comment)
  await restore(tool, replacementOf(left, rules(saved)), signal)
}
