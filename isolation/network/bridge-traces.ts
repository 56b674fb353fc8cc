import { existsSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { endianness } from 'node:os'
import { readKernelFile } from '../host/kernel-file.js'
import type { Bridge } from './bridges.js'

/** The states of sockets in /proc/net/tcp from which nothing is sent any more but an answer. */
const TIME_WAIT = '06'

/** The index of an interface, by which the kernel tells it from a later one of the same name. Undefined if there is none. */
export function interfaceIndex(name: string): number | undefined {
  return Number(readOrUndefined(`/sys/class/net/${name}/ifindex`)) || undefined
}

/**
 * Whether nobody is connected to a bridge, and the host knows no hardware address of anybody who was. The kernel forgets these
 * within a second when the last one is gone.
 */
export function isDeserted({ interface: name }: Pick<Bridge, 'interface'>): boolean {
  return !hasPorts(name) && !(readOrUndefined('/proc/net/arp') ?? name).includes(name)
}

/**
 * The addresses of the host at which there is a TCP socket that listens, or may send something. A connection that the daemon has
 * closed goes on in the kernel until what it has sent is acknowledged, and the next container can have the address of the last.
 * This reads the whole table of the kernel, which takes some milliseconds.
 */
export async function addressesInUse(): Promise<ReadonlySet<string>> {
  return addressesOf(await readFile('/proc/net/tcp', 'utf8'))
}

/** @param table the text of /proc/net/tcp */
export function addressesOf(table: string): ReadonlySet<string> {
  const addresses = new Set<string>()
  for (const line of table.split('\n').slice(1)) {
    const [, local = '', , state] = line.trim().split(/\s+/)
    if (local !== '' && state !== TIME_WAIT) addresses.add(ipv4Of(local))
  }
  return addresses
}

/** @param hex as `010012C6:1F90`, in the byte order of the host */
function ipv4Of(hex: string): string {
  const bytes = [...Buffer.from(hex.slice(0, 8), 'hex')]
  return (endianness() === 'LE' ? bytes.reverse() : bytes).join('.')
}

export function isBridge(name: string): boolean {
  return existsSync(`/sys/class/net/${name}/bridge`)
}

/** Whether anybody is connected to a bridge. */
export function hasPorts(name: string): boolean {
  try {
    return readdirSync(`/sys/class/net/${name}/brif`).length > 0
  } catch {
    // The bridge is gone, and must not be used.
    return true
  }
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readKernelFile(path)
  } catch {
    return undefined
  }
}
