import { readFile } from 'node:fs/promises'
import { messageOf } from '../../base/errors.js'
import { runProcess } from '../../base/run-process.js'
import type { Finding } from '../isolation.js'
import { canDisableIpv6, hasIpv6 } from '../network/bridge-ipv6.js'
import { forwardChainsIn, replacementOf, rulesForIpv4 } from '../network/firewall-rules.js'
import { check, save } from '../network/iptables.js'
import { bad, good, slow } from './finding.js'

/** A plan with every kind of rule, for a bridge that no host has. */
const PROBE = {
  bridge: 'sd-doctor',
  gateway: '198.18.0.1',
  comment: 'stagerd:doctor',
  coordinatorPort: 1,
  egress: true,
  published: true,
}

/** Does what a launch will do with the packet filter, as far as that changes nothing. */
export async function examineFirewall(): Promise<Finding[]> {
  return [await examineIpv4(), ...(await examineBackend()), await examineIpv6()]
}

async function examineIpv4(): Promise<Finding> {
  try {
    await check(replacementOf([], rulesForIpv4(PROBE, forwardChainsIn(await save()))))
    return good('firewall', 'iptables blocks connections from stagers to the host')
  } catch (error) {
    return bad('firewall', `no launch can start, because ${messageOf(error)}`)
  }
}

async function examineIpv6(): Promise<Finding> {
  const subject = 'firewall IPv6'
  if (!(await hasIpv6())) return good(subject, 'the kernel has no IPv6')
  if (await canDisableIpv6()) return good(subject, 'IPv6 is disabled on the bridge of each launch')
  return bad(
    subject,
    'no launch can start, because IPv6 cannot be disabled on bridges: make /proc/sys writable for stagerd',
  )
}

/**
 * iptables has two variants with separate tables, and a packet must pass both. What an administrator or Docker sets with
 * the other one can keep stagers from the coordinator, and stagerd does not see it.
 */
async function examineBackend(): Promise<Finding[]> {
  const version = await runProcess('iptables', ['--version'], { timeoutMs: 10_000 }).catch(() => undefined)
  if (!version) return []
  const isNft = version.stdout.includes('nf_tables')
  // To ask iptables-legacy about a table creates it.
  if (isNft && !(await legacyTables()).includes('filter')) return []
  const [ours, other] = isNft ? ['iptables-nft', 'iptables-legacy'] : ['iptables-legacy', 'iptables-nft']
  const theirs = await runProcess(`${other}-save`, ['-t', 'filter'], { timeoutMs: 10_000 }).catch(() => undefined)
  if (!theirs || !hasRules(theirs.stdout)) return []
  return [
    slow(
      'firewall backend',
      `there are rules of ${other} beside those of ${ours}, which stagerd uses, and packets must pass both: let all programs use one of them (update-alternatives --config iptables), and restart Docker and stagerd`,
    ),
  ]
}

async function legacyTables(): Promise<readonly string[]> {
  const names = await readFile('/proc/net/ip_tables_names', 'utf8').catch(() => '')
  return names.split('\n')
}

/** Whether the table does anything. @param saved in the format of `iptables-save` */
export function hasRules(saved: string): boolean {
  return /^-A |^:\S+ DROP /m.test(saved)
}
