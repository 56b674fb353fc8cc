/** What the host's packet filter must know of one launch or run. */
export interface FirewallPlan {
  /** The host's interface of the bridge. */
  readonly bridge: string
  /** The host's address on it. */
  readonly gateway: string
  /** Marks the rules as ours, and tells whose. */
  readonly comment: string
  /** The one port of the host that the container reaches; undefined when it reaches none. */
  readonly coordinatorPort: number | undefined
  /** Whether the container may reach beyond the host. */
  readonly egress: boolean
  /** Whether ports of the container are published: then the host's proxy talks to it, and gets answers. */
  readonly published: boolean
}

/**
 * Where clouds hand out credentials to whoever asks: link-local nearly everywhere, Azure's and Alibaba's own. Some are the
 * name servers of their networks as well.
 */
const METADATA_ADDRESSES = ['169.254.0.0/16', '168.63.129.16/32', '100.100.100.200/32']

export interface Rule {
  readonly chain: string
  readonly match: readonly string[]
}

/**
 * A Docker network, `internal` or not, reaches every service of the host that listens on 0.0.0.0 or on the bridge.
 * Rejected rather than dropped, so that programs fail at once instead of waiting.
 *
 * @param forwardChains as of `forwardChainsIn`
 * @returns in the order in which they are to be tried
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
  if (plan.published) rules.push(input(['-m', 'conntrack', '--ctstate', 'RELATED,ESTABLISHED'], ACCEPT))
  rules.push(input([], REJECT))
  // The host answers for each of its addresses on every interface: other containers, and neighbours that route to us,
  // would reach the coordinator too. What comes from the bridge itself has been judged above.
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
  // Such a bridge cannot be `internal`, because Docker publishes no port of an internal one.
  // Not only what is NEW: raw sockets can make packets that belong to no connection (INVALID).
  else if (plan.published) rules.push(...forward(['-m', 'conntrack', '!', '--ctstate', 'RELATED,ESTABLISHED'], REJECT))
  // Docker keeps an `internal` one in too, but by dropping: a program would wait for minutes to learn that.
  else rules.push(...forward([], REJECT))
  return rules
}

/** Our networks have no IPv6, but every bridge has a link-local address, and services listen on [::]. */
export function rulesForIpv6(plan: FirewallPlan): Rule[] {
  return ['INPUT', 'FORWARD'].map((chain) => rule(chain, plan, [], REJECT_IPV6))
}

/** Each goes to the head of its chain, so the last one goes first. */
function insertions(rules: readonly Rule[]): string[] {
  return rules.toReversed().map(({ chain, match }) => `-I ${chain} 1 ${match.join(' ')}`)
}

/** A rule of ours as `iptables-save` shows it. */
export interface SavedRule {
  readonly chain: string
  readonly comment: string
  /** The whole line: `-A INPUT …`. */
  readonly line: string
}

/** Every rule in the output of `iptables-save` that has a comment as ours have. */
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
 * Where rules for what is forwarded stand: in FORWARD, and in DOCKER-USER where there is such a chain. Docker keeps that in
 * front of its own rules, also after a restart; but up to version 27 it takes the way into it out, and puts it in again,
 * whenever it makes a network, and on a busy host that is time enough to connect.
 */
export function forwardChainsIn(saved: string): readonly string[] {
  return /^:DOCKER-USER /m.test(saved) ? ['FORWARD', 'DOCKER-USER'] : ['FORWARD']
}

/** Whether each of `rules` is still there, in its chain. */
export function areThere(rules: readonly Rule[], comment: string, saved: readonly SavedRule[]): boolean {
  const chainsOf = (all: readonly { readonly chain: string }[]) => all.map(({ chain }) => chain).sort()
  const there = chainsOf(saved.filter((rule) => rule.comment === comment))
  const wanted = chainsOf(rules)
  return there.length === wanted.length && there.every((chain, index) => chain === wanted[index])
}

/** Standard input for `iptables-restore --noflush` that removes `saved` and inserts `rules`: all of it, or nothing. */
export function replacementOf(saved: readonly SavedRule[], rules: readonly Rule[]): string {
  return transaction([...saved.map(({ line }) => line.replace(/^-A/, '-D')), ...insertions(rules)])
}

const ACCEPT = ['-j', 'ACCEPT']
const REJECT = ['-j', 'REJECT', '--reject-with', 'icmp-port-unreachable']
const REJECT_IPV6 = ['-j', 'REJECT', '--reject-with', 'icmp6-port-unreachable']

function rule(chain: string, plan: FirewallPlan, match: readonly string[], verdict: readonly string[]): Rule {
  return { chain, match: ['-i', plan.bridge, ...match, ...marked(plan), ...verdict] }
}

function marked({ comment }: FirewallPlan): string[] {
  return ['-m', 'comment', '--comment', comment]
}

function transaction(lines: readonly string[]): string {
  return ['*filter', ...lines, 'COMMIT', ''].join('\n')
}
