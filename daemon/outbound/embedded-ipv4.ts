import ipaddr from 'ipaddr.js'

/** Forms of IPv6 that stand for an IPv4 address, and at which of their bytes it begins. */
const FORMS: readonly (readonly [network: string, at: number])[] = [
  // IPv4-compatible, which is obsolete, and IPv4-mapped.
  ['::/96', 12],
  ['::ffff:0:0/96', 12],
  // Of translators: SIIT, and NAT64 with its well-known prefix.
  ['::ffff:0:0:0/96', 12],
  ['64:ff9b::/96', 12],
  // 6to4.
  ['2002::/16', 2],
]

/** The IPv4 address that an IPv6 address stands for; undefined for one that stands for none. */
export function embeddedIPv4(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | undefined {
  if (!(address instanceof ipaddr.IPv6)) return undefined
  // `::` and `::1` are addresses of their own.
  if (address.match(ipaddr.parseCIDR('::/127'))) return undefined
  const form = FORMS.find(([network]) => address.match(ipaddr.parseCIDR(network)))
  return form && new ipaddr.IPv4(address.toByteArray().slice(form[1], form[1] + 4))
}
