import { isIPv4 } from 'node:net'
import { Netmask } from 'netmask'

/** A proxy that containers with egress use. */
export interface Proxy {
  /** As it was given. It may contain a password, so no message repeats it. */
  readonly url: string
  readonly host: string
  readonly port: number
}

/** The port is required, because programs disagree about the default. */
const PROXY = /^https?:\/\/(?:[^\s@/]*@)?(\[[0-9a-f:.]+\]|[a-z0-9._-]+):(\d{1,5})\/?$/i

/** Addresses that mean the container itself, and those of metadata services, which the firewall blocks. */
const UNREACHABLE = ['127.0.0.0/8', '0.0.0.0/8', '169.254.0.0/16'].map((block) => new Netmask(block))

/** An empty value turns the setting off. Throws an `Error` as the parsers in parse-value.ts do. */
export function parseProxy(text: string): Proxy | undefined {
  if (text === '') return undefined
  const [, host = '', port = ''] = PROXY.exec(text) ?? []
  if (host === '' || !URL.canParse(text) || Number(port) < 1 || Number(port) > 65_535)
    throw new Error(
      'the value is not the URL of an HTTP proxy with its port, such as http://proxy.example.org:3128 (it is not shown, because it may contain a password)',
    )
  if (host.startsWith('['))
    throw new Error('the proxy has an IPv6 address, but containers have IPv4 only: name a proxy that has IPv4')
  if (isUnreachable(host))
    throw new Error(
      `containers do not reach a proxy at ${host}: name an address of it that is neither loopback nor link-local`,
    )
  return { url: text, host, port: Number(port) }
}

function isUnreachable(host: string): boolean {
  return /(^|\.)localhost\.?$/i.test(host) || (isIPv4(host) && UNREACHABLE.some((block) => block.contains(host)))
}
