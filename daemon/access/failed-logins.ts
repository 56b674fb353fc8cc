import { isIPv6 } from 'node:net'

/** In this many milliseconds, an address may present this many wrong tokens. */
const WINDOW_MS = 60_000
const MAX_FAILURES = 10

/** Addresses that are remembered at most; the oldest are forgotten first. */
const MAX_ADDRESSES = 10_000

/**
 * Counts wrong tokens by address, in memory that has a limit. An IPv6 host has a whole /64 to itself, which therefore
 * counts as one address.
 */
export class FailedLogins {
  readonly #failures = new Map<string, { count: number; readonly until: number }>()
  readonly #now: () => number

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** @returns whether this is one more than the address may have */
  add(address: string): boolean {
    const key = networkOf(address)
    const now = this.#now()
    const known = this.#failures.get(key)
    if (known && known.until > now) {
      known.count += 1
      return known.count > MAX_FAILURES
    }
    // Deleted first, so that the map is in the order of the windows.
    this.#failures.delete(key)
    this.#failures.set(key, { count: 1, until: now + WINDOW_MS })
    if (this.#failures.size > MAX_ADDRESSES) this.#failures.delete(this.#failures.keys().next().value ?? key)
    return false
  }

  get size(): number {
    return this.#failures.size
  }
}

/** Seconds after which an address that has failed too often is heard again, at the latest. */
export const RETRY_AFTER_SECONDS = WINDOW_MS / 1000

function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? []
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length)
  const groups = [...before, ...Array<string>(zeros).fill('0'), ...after]
  return groups
    .slice(0, 4)
    .map((group) => parseInt(group, 16).toString(16))
    .join(':')
}
