import { access, writeFile } from 'node:fs/promises'
import { Fault, messageOf } from '../../base/errors.js'
import { runProcess } from '../../base/run-process.js'
import {
  additionOf,
  removalFromSaved,
  removalOf,
  rulesForIpv4,
  rulesForIpv6,
  type FirewallPlan,
} from './firewall-rules.js'

/**
 * The host's packet filter, for our bridges alone.
 *
 * INVARIANTS
 * - Only rules with a comment of ours are ever removed; nobody else's are touched, or put in another order.
 * - A set of rules is there as a whole or not at all: one transaction for each protocol.
 */
export class Firewall {
  #forwardChain: Promise<string> | undefined
  #ipv6: Promise<Ipv6> | undefined

  /** Throws `Fault` (`firewall-failed`): the container must not be started then. */
  async add(plan: FirewallPlan, signal: AbortSignal): Promise<void> {
    try {
      const [forwardChain, ipv6] = await Promise.all([this.#chooseForwardChain(), this.#chooseIpv6()])
      const results = await Promise.allSettled([
        restore('iptables-restore', additionOf(rulesForIpv4(plan, forwardChain)), signal),
        this.#addIpv6(plan, ipv6, signal),
      ])
      for (const result of results) if (result.status === 'rejected') throw result.reason
    } catch (error) {
      signal.throwIfAborted()
      throw new Fault(
        'firewall-failed',
        `The firewall rules of bridge ${plan.bridge} could not be set (${messageOf(error)}): stagerd needs root and a working iptables.`,
        { cause: error },
      )
    }
  }

  async remove(plan: FirewallPlan, signal: AbortSignal): Promise<void> {
    const forwardChain = await this.#chooseForwardChain()
    try {
      await Promise.all([
        restore('iptables-restore', removalOf(rulesForIpv4(plan, forwardChain)), signal),
        (await this.#chooseIpv6()) === 'filter'
          ? restore('ip6tables-restore', removalOf(rulesForIpv6(plan)), signal)
          : undefined,
      ])
    } catch {
      // One rule that somebody flushed fails the whole transaction: remove what is really there.
      await this.removeWhere((comment) => comment === plan.comment, signal)
    }
  }

  /** Remove all rules with such a comment, and return the comments. */
  async removeWhere(isOurs: (comment: string) => boolean, signal?: AbortSignal): Promise<string[]> {
    const found = new Set<string>()
    const tools = (await this.#chooseIpv6()) === 'filter' ? ['iptables', 'ip6tables'] : ['iptables']
    for (const tool of tools) {
      const { stdout } = await runProcess(`${tool}-save`, ['-t', 'filter'], signal ? { signal } : {})
      const removal = removalFromSaved(stdout, isOurs)
      if (!removal) continue
      await restore(`${tool}-restore`, removal.input, signal)
      for (const comment of removal.comments) found.add(comment)
    }
    return [...found]
  }

  /** How the host keeps IPv6 away from our bridges. */
  ipv6(): Promise<Ipv6> {
    return this.#chooseIpv6()
  }

  async #addIpv6(plan: FirewallPlan, ipv6: Ipv6, signal: AbortSignal): Promise<void> {
    if (ipv6 === 'filter') await restore('ip6tables-restore', additionOf(rulesForIpv6(plan)), signal)
    else if (ipv6 === 'switch-off') await writeFile(`/proc/sys/net/ipv6/conf/${plan.bridge}/disable_ipv6`, '1')
  }

  #chooseForwardChain(): Promise<string> {
    // An Engine that was told to leave iptables alone has made no chain of its own.
    this.#forwardChain ??= succeeds('iptables', ['-w', '-n', '-L', 'DOCKER-USER']).then((there) =>
      there ? 'DOCKER-USER' : 'FORWARD',
    )
    return this.#forwardChain
  }

  #chooseIpv6(): Promise<Ipv6> {
    this.#ipv6 ??= chooseIpv6()
    return this.#ipv6
  }
}

/** `absent`: a kernel without IPv6. `switch-off`: no working ip6tables, so IPv6 is turned off on the bridge itself. */
export type Ipv6 = 'filter' | 'switch-off' | 'absent'

async function chooseIpv6(): Promise<Ipv6> {
  try {
    await access('/proc/net/if_inet6')
  } catch {
    return 'absent'
  }
  return (await succeeds('ip6tables', ['-w', '-n', '-L', 'INPUT'])) ? 'filter' : 'switch-off'
}

async function succeeds(file: string, args: readonly string[]): Promise<boolean> {
  try {
    await runProcess(file, args, { timeoutMs: 10_000 })
    return true
  } catch {
    return false
  }
}

async function restore(tool: string, input: string, signal?: AbortSignal): Promise<void> {
  await runProcess(tool, ['--noflush', '-w'], { input, ...(signal ? { signal } : {}) })
}
