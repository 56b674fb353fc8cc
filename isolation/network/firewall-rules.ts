import type { ProxyAddress } from '../launch-plan.js'

/** The input for the firewall rules of one network. */
export interface FirewallPlan {
  /** The bridge interface of the host. */
  readonly bridge: string
  /** The host's address on the bridge. */
  readonly gateway: string
  /** The comment of the rules, which identifies their network. */
  readonly comment: string
  /** The only port of the host that the container can reach without egress; undefined for none. */
  readonly coordinatorPort: number | undefined
  /** Whether the container can reach networks beyond the host. */
  readonly egress: boolean
  /** With egress, the container reaches these too if they are on the host. */
  readonly proxies?: readonly ProxyAddress[]
  /** Whether ports of the container are published: then its replies to the proxy on the host are accepted. */
  readonly published: boolean
}

/**
 * The metadata services of clouds, which hand out credentials: link-local in most clouds, and the addresses of Azure and
 * Alibaba. Some of them are the name servers of their networks as well.
 */
const METADATA_ADDRESSES = ['169.254.0.0/16', '168.63.129.16/32', '100.100.100.200/32']

export interface Rule {
  readonly chain: string
  readonly match: readonly string[]
}

/**
 * Without these rules a container in a Docker network, `internal` or not, reaches every service of the host that listens
 * on 0.0.0.0 or on the bridge. They reject packets instead of dropping them, so that programs fail at once.
 *
 * @param forwardChains as returned by `forwardChainsIn`
 * @returns the rules in the order of evaluation
 */
export function rulesForIpv4(plan: FirewallPlan, forwardChains: readonly string[]): Rule[] {
  const input = (match: string[], verdict: string[]): Rule => rule('INPUT', plan, match, verdict)
  const forward = (match: string[], verdict: string[]): Rule[] =>
    forwardChains.map((chain) => rule(chain, plan, match, verdict))
  const rules: Rule[] = []
  if (plan.coordinatorPort !== undefined) {
    const port = String(plan.coordinatorPort)
    rules.push(input(['-d', `${plan.gateway}/32`, '-p', 'tcp', '-m', 'tcp', '--dport', port], ACCEPT))
  }
  if (plan.egress)
    for (const { address, port } of plan.proxies ?? [])
      rules.push(input(['-d', `${address}/32`, '-p', 'tcp', '-m', 'tcp', '--dport', String(port)], ACCEPT))
  if (plan.published) rules.push(input(['-m', 'conntrack', '--ctstate', 'RELATED,ESTABLISHED'], ACCEPT))
  rules.push(input([], REJECT))
  // The host accepts packets for each of its addresses on every interface: other containers, and neighbours that route
  // through the host, would reach the coordinator too. Packets from the bridge itself match a rule above.
  if (plan.coordinatorPort !== undefined) {
    const match = ['!', '-i', 'lo', '-d', `${plan.gateway}/32`, '-p', 'tcp', '-m', 'tcp']
    rules.push({
      chain: 'INPUT',
      match: [...match, '--dport', String(plan.coordinatorPort), ...marked(plan), ...REJECT],
    })
  }
  if (plan.egress)
    for (const address of METADATA_ADDRESSES)
      for (const protocol of ['tcp', 'udp'])
        rules.push(...forward(['-d', address, '-p', protocol, '-m', protocol, '!', '--dport', '53'], REJECT))
  // This bridge cannot be `internal`, because Docker publishes no ports of an internal one.
  // Not only NEW packets: raw sockets can send packets that belong to no connection (INVALID).
  else if (plan.published) rules.push(...forward(['-m', 'conntrack', '!', '--ctstate', 'RELATED,ESTABLISHED'], REJECT))
  // Docker also blocks forwarding from an `internal` bridge, but drops the packets: programs would wait for minutes.
  else rules.push(...forward([], REJECT))
  return rules
}

/** Each rule is inserted at the head of its chain, so the last one comes first. */
export function insertionsOf(rules: readonly Rule[]): string[] {
  return rules.toReversed().map(({ chain, match }) => `-I ${chain} 1 ${match.join(' ')}`)
}

/** Refused unless each rule is there. */
export function deletionsOf(rules: readonly Rule[]): string[] {
  return rules.map(({ chain, match }) => `-D ${chain} ${match.join(' ')}`)
}

/** A rule of stagerd as `iptables-save` prints it. */
export interface SavedRule {
  readonly chain: string
  readonly comment: string
  /** The whole line: `-A INPUT …`. */
  readonly line: string
}

/** The rules in the output of `iptables-save` that have a comment of stagerd. */
export function rulesInSaved(saved: string): SavedRule[] {
  const rules: SavedRule[] = []
  let table = ''
  for (const line of saved.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1).trim()
    const [, chain, comment] = /^-A (\S+) .*--comment "?(stagerd:[0-9a-f:-]+)"?(?: |$)/.exec(line) ?? []
    if (table === 'filter' && chain !== undefined && comment !== undefined) rules.push({ chain, comment, line })
  }
  return rules
}

/**
 * The chains for rules about forwarded packets: FORWARD, and DOCKER-USER if it exists. Docker evaluates DOCKER-USER before
 * its own rules, also after a restart. But up to version 27 it removes the jump to DOCKER-USER and inserts it again
 * whenever it creates a network; on a busy host that is long enough for a connection.
 */
export function forwardChainsIn(saved: string): readonly string[] {
  return /^:DOCKER-USER /m.test(saved) ? ['FORWARD', 'DOCKER-USER'] : ['FORWARD']
}

/** Whether each of `rules` is in its chain, and no other rule has their comment. */
export function areThere(rules: readonly Rule[], comment: string, saved: readonly SavedRule[]): boolean {
  const chainsOf = (all: readonly { readonly chain: string }[]) => all.map(({ chain }) => chain).sort()
  const there = chainsOf(saved.filter((rule) => rule.comment === comment))
  const wanted = chainsOf(rules)
  return there.length === wanted.length && there.every((chain, index) => chain === wanted[index])
}

/** Input for `iptables-restore --noflush` that removes `saved` and inserts `rules` in one transaction. */
export function replacementOf(saved: readonly SavedRule[], rules: readonly Rule[]): string {
  return transaction([...saved.map(({ line }) => line.replace(/^-A/, '-D')), ...insertionsOf(rules)])
}

const ACCEPT = ['-j', 'ACCEPT']
const REJECT = ['-j', 'REJECT', '--reject-with', 'icmp-port-unreachable']

function rule(chain: string, plan: FirewallPlan, match: readonly string[], verdict: readonly string[]): Rule {
  return { chain, match: ['-i', plan.bridge, ...match, ...marked(plan), ...verdict] }
}

function marked({ comment }: FirewallPlan): string[] {
  return ['-m', 'comment', '--comment', comment]
}

/** Input for `iptables-restore --noflush`: all lines or none. */
export function transaction(lines: readonly string[]): string {
  return ['*filter', ...lines, 'COMMIT', ''].join('\n')
}
