import { access, constants, readFile } from 'node:fs/promises'
import { messageOf } from '../../base/errors.js'
import { runProcess } from '../../base/run-process.js'
import type { Finding } from '../isolation.js'
import type { Firewall } from '../network/firewall.js'
import { forwardChainsIn, replacementOf, rulesForIpv4, rulesForIpv6 } from '../network/firewall-rules.js'
import { check, save, type Tool } from '../network/iptables.js'
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

/** Writable where IPv6 can be disabled on a bridge. */
const IPV6_SWITCH = '/proc/sys/net/ipv6/conf/default/disable_ipv6'

/** Does what a launch will do with the packet filter, as far as that changes nothing. */
export async function examineFirewall(firewall: Pick<Firewall, 'ipv6'>): Promise<Finding[]> {
  return [await examineIpv4(), ...(await examineBackend()), await examineIpv6(firewall)]
}

async function examineIpv4(): Promise<Finding> {
  const failure = await failureOf('iptables')
  return failure === undefined
    ? good('firewall', 'iptables blocks connections from stagers to the host')
    : bad('firewall', `no launch can start, because ${failure}`)
}

async function examineIpv6(firewall: Pick<Firewall, 'ipv6'>): Promise<Finding> {
  const subject = 'firewall IPv6'
  switch (await firewall.ipv6()) {
    case 'absent':
      return good(subject, 'the kernel has no IPv6')
    case 'filter': {
      const failure = await failureOf('ip6tables')
      return failure === undefined
        ? good(subject, 'ip6tables blocks connections from stagers to the host')
        : bad(subject, `no launch can start, because ${failure}`)
    }
    case 'switch-off': {
      const failure = await failureOf('ip6tables')
      const why = failure === undefined ? 'ip6tables did not work when stagerd first needed it' : failure
      if (await isWritable(IPV6_SWITCH)) return good(subject, `IPv6 is disabled on each bridge instead, because ${why}`)
      return bad(
        subject,
        `no launch can start, because ${why}, and IPv6 cannot be disabled on bridges, because /proc/sys is read-only: make one of them work`,
      )
    }
  }
}

/** Why rules cannot be read or set; undefined if they can. */
async function failureOf(tool: Tool): Promise<string | undefined> {
  try {
    const saved = await save(tool)
    await check(
      tool,
      replacementOf([], tool === 'iptables' ? rulesForIpv4(PROBE, forwardChainsIn(saved)) : rulesForIpv6(PROBE)),
    )
    return undefined
  } catch (error) {
    return messageOf(error)
  }
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

async function isWritable(file: string): Promise<boolean> {
  return await access(file, constants.W_OK).then(
    () => true,
    () => false,
  )
}
