import ipaddr from 'ipaddr.js'
import { embeddedIPv4 } from './embedded-ipv4.js'

export type Judgement =
  | { readonly kind: 'allowed' }
  /** Allowed if its network is listed. `what`: as part of a sentence. */
  | { readonly kind: 'not-listed'; readonly what: string }
  | { readonly kind: 'never'; readonly what: string }

const ALLOWED: Judgement = { kind: 'allowed' }

type Network = readonly [ipaddr.IPv4 | ipaddr.IPv6, number]

/** No setting allows these: no service that is meant for others has such an address. */
const NEVER = rules({
  'that of a metadata service': [
    '169.254.169.254/32',
    '100.100.100.200/32',
    '192.0.0.192/32',
    '168.63.129.16/32',
    'fd00:ec2::/32',
    'fd20:ce::254/128',
  ],
  'link-local': ['169.254.0.0/16', 'fe80::/10'],
  'a multicast address': ['224.0.0.0/4', 'ff00::/8'],
  // The kernel takes it for the loopback address.
  unspecified: ['0.0.0.0/8', '::/128'],
  'a broadcast address': ['255.255.255.255/32'],
  // Where the IPv4 address is depends on the translator.
  'one of a local translator': ['64:ff9b:1::/48'],
})

const NOT_PUBLIC = rules({
  loopback: ['127.0.0.0/8', '::1/128'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', 'fec0::/10'],
  'shared by the customers of a provider': ['100.64.0.0/10'],
  reserved: [
    '192.0.0.0/24',
    '192.0.2.0/24',
    '192.88.99.0/24',
    '198.18.0.0/15',
    '198.51.100.0/24',
    '203.0.113.0/24',
    '240.0.0.0/4',
    '2001::/23',
    '2001:db8::/32',
    '3fff::/20',
  ],
})

/** Of IPv6, everything else is reserved. */
const PUBLIC_IPV6: Network = ipaddr.parseCIDR('2000::/3')

/**
 * Which addresses the daemon may send requests to: public ones, and those of listed networks.
 *
 * An IPv6 address that stands for an IPv4 address is judged as that one, too.
 */
export class AddressRules {
  readonly #listed: readonly Network[]
  readonly #ownAddresses: () => readonly string[]

  /**
   * @param listed CIDRs of networks that are allowed although they are not public
   * @param ownAddresses of this host: services that listen on all of its addresses expect requests of neighbours there
   */
  constructor(listed: readonly string[], ownAddresses: () => readonly string[] = () => []) {
    this.#listed = listed.map((network) => ipaddr.parseCIDR(network))
    this.#ownAddresses = ownAddresses
  }

  /** @param text an IP address; any other text is never allowed */
  judge(text: string): Judgement {
    const address = parse(text)
    if (!address) return { kind: 'never', what: 'none that can be judged' }
    const ipv4 = embeddedIPv4(address)
    const judgements = [address, ...(ipv4 ? [ipv4] : [])].map((one) => this.#judge(one, ipv4 !== undefined))
    return (
      judgements.find(({ kind }) => kind === 'never') ?? judgements.find(({ kind }) => kind === 'not-listed') ?? ALLOWED
    )
  }

  #judge(address: ipaddr.IPv4 | ipaddr.IPv6, hasIPv4: boolean): Judgement {
    const never = find(NEVER, address)
    if (never !== undefined) return { kind: 'never', what: never }
    if (this.#listed.some((network) => isIn(address, network))) return ALLOWED
    const what = find(NOT_PUBLIC, address)
    if (what !== undefined) return { kind: 'not-listed', what }
    if (this.#ownAddresses().some((own) => parse(own)?.toString() === address.toString()))
      return { kind: 'not-listed', what: 'one of this host' }
    // The forms that embed an IPv4 address are outside of the public part.
    if (address.kind() === 'ipv6' && !hasIPv4 && !isIn(address, PUBLIC_IPV6))
      return { kind: 'not-listed', what: 'reserved' }
    return ALLOWED
  }
}

type Rules = readonly { readonly what: string; readonly networks: readonly Network[] }[]

function rules(networks: Readonly<Record<string, readonly string[]>>): Rules {
  return Object.entries(networks).map(([what, blocks]) => ({
    what,
    networks: blocks.map((block) => ipaddr.parseCIDR(block)),
  }))
}

function find(all: Rules, address: ipaddr.IPv4 | ipaddr.IPv6): string | undefined {
  return all.find(({ networks }) => networks.some((network) => isIn(address, network)))?.what
}

function isIn(address: ipaddr.IPv4 | ipaddr.IPv6, [base, bits]: Network): boolean {
  return address.kind() === base.kind() && address.match(base, bits)
}

function parse(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  // The zone of a link-local address does not change what it is.
  const [bare = ''] = text.replace(/^\[|\]$/g, '').split('%')
  // Not the octal, hexadecimal and short forms, which programs read in different ways.
  if (!ipaddr.IPv4.isValidFourPartDecimal(bare) && !ipaddr.IPv6.isValid(bare)) return undefined
  return ipaddr.parse(bare)
}
