import { isIPv4 } from 'node:net'
import type { ProxyAddress } from '../isolation/launch-plan.js'
import type { Settings } from './settings/settings.js'

/** The variables for programs that reach networks beyond the host. Programs differ in the case that they read. */
export function proxyEnvironment({ http, https, exceptions }: Settings['proxy']): Readonly<Record<string, string>> {
  const variables = { http_proxy: http?.url, https_proxy: https?.url, no_proxy: exceptions }
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) =>
      value === undefined
        ? []
        : [
            [name, value],
            [name.toUpperCase(), value],
          ],
    ),
  )
}

/** The proxies whose setting has an address instead of a name: only such a one can be on this host. */
export function proxyAddresses({ http, https }: Settings['proxy']): readonly ProxyAddress[] {
  const addresses = [http, https].flatMap((proxy) =>
    proxy && isIPv4(proxy.host) ? [{ address: proxy.host, port: proxy.port }] : [],
  )
  return addresses.filter(
    ({ address, port }, index) =>
      addresses.findIndex((other) => other.address === address && other.port === port) === index,
  )
}
