import { networkInterfaces } from 'node:os'

/** The addresses of this host. */
export function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((found = []) => found.map(({ address }) => address))
}
