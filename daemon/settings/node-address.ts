import { isIP } from 'node:net'
import { BadInput } from '../../base/errors.js'
import type { ListenAddress } from './parse-value.js'

/** Where other nodes pass requests on to this one, and what each of them proves with that it is a node of the fleet. */
export interface NodeAddress extends ListenAddress {
  /** Paths of PEM files. */
  readonly certificate: string
  readonly key: string
  readonly authority: string
}

/**
 * The settings `node-address`, `node-certificate`, `node-key` and `node-authority` belong together. Throws `BadInput`
 * (`node-tls-required`, `node-tls-unused`, `bad-node-address`).
 */
export function nodeAddressOf({
  address,
  certificate,
  key,
  authority,
}: {
  readonly address: ListenAddress | undefined
  readonly certificate: string | undefined
  readonly key: string | undefined
  readonly authority: string | undefined
}): NodeAddress | undefined {
  const files = { 'node-certificate': certificate, 'node-key': key, 'node-authority': authority }
  if (!address) {
    if (Object.values(files).every((file) => file === undefined)) return undefined
    throw new BadInput(
      'node-tls-unused',
      'node-certificate, node-key and node-authority are for node-address, which is not set: set it, or remove them.',
    )
  }
  if (isIP(address.host) !== 0 && /^(0\.0\.0\.0|[0:]+)$/.test(address.host))
    throw new BadInput(
      'bad-node-address',
      `node-address is ${address.host}, which other nodes cannot reach: give the name or the address that this host has for them.`,
    )
  if (certificate === undefined || key === undefined || authority === undefined) {
    const missing = Object.entries(files).flatMap(([name, file]) => (file === undefined ? [name] : []))
    throw new BadInput(
      'node-tls-required',
      `node-address needs ${missing.join(' and ')}: nodes speak with each other over TLS only, and each proves who it is.`,
    )
  }
  return { ...address, certificate, key, authority }
}

/** As it is published to other nodes. */
export function formatAddress({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
