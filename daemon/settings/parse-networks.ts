import ipaddr from 'ipaddr.js'
import { quote } from '../../base/fqn.js'

/** Networks of IPv4 or IPv6, comma-separated; an empty value is none. */
export function parseNetworks(text: string): readonly string[] {
  return text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
    .map((one) => {
      try {
        // ipaddr.js takes short forms such as 10/8, which are read in different ways.
        if (/^\d+(\.\d+){0,2}\//.test(one)) throw new Error()
        const [address, bits] = ipaddr.parseCIDR(one)
        return `${address.toString()}/${bits}`
      } catch {
        throw new Error(`${quote(one)} is not a network such as 10.20.0.0/16 or fd12:3456::/32`)
      }
    })
}
