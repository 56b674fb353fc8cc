import { ip2long, long2ip, Netmask } from 'netmask'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'

/** One network of the pool. The object itself is the lease: see `AddressPool.release`. */
export interface Subnet {
  /** As Docker takes it: `198.18.0.16/28`. */
  readonly cidr: string
  /** The host's address: the first usable one. */
  readonly gateway: string
}

/**
 * Allocates the networks of launches: an IPv4 block, cut into subnets of equal size. Docker's own pools are exhausted
 * after about thirty networks.
 *
 * INVARIANTS
 * - A subnet that `allocate` has returned is not returned again before it is released.
 * - Only the object that `allocate` has returned releases it, and only once: a late or repeated release does not free the
 *   subnet of the next holder.
 * - Subnets are allocated round-robin: the kernel may still be removing the network of one that has just been released.
 */
export class AddressPool {
  readonly #first: number
  readonly #count: number
  readonly #size: number
  readonly #allocated = new Map<number, Subnet>()
  #foreign = new Set<number>()
  #next: number

  /**
   * Throws `BadInput` (`bad-address-pool`).
   *
   * @param block the whole pool, as `198.18.0.0/16`
   * @param prefix prefix length of a subnet; /28 has 16 addresses, of which containers can use 13
   * @param start index of the subnet that is allocated first: nodes that share a block should begin at different ones
   */
  constructor(
    readonly block: string,
    readonly prefix = 28,
    start = 0,
  ) {
    const whole = parseBlock(block)
    if (!whole || whole.bitmask > prefix)
      throw new BadInput(
        'bad-address-pool',
        `${quote(block)} is not an address pool: write an IPv4 block of /${prefix} or larger, such as 198.18.0.0/16.`,
      )
    this.#first = whole.netLong
    this.#size = 2 ** (32 - prefix)
    this.#count = whole.size / this.#size
    this.#next = start % this.#count
  }

  /** The number of subnets. */
  get capacity(): number {
    return this.#count
  }

  /** A free subnet; undefined if there is none. */
  allocate(): Subnet | undefined {
    for (let tried = 0; tried < this.#count; tried++) {
      const index = this.#next
      this.#next = (this.#next + 1) % this.#count
      if (this.#allocated.has(index) || this.#foreign.has(index)) continue
      const subnet = this.#subnet(index)
      this.#allocated.set(index, subnet)
      return subnet
    }
    // Networks of others may be gone by the next call.
    this.#foreign = new Set()
    return undefined
  }

  /** Idempotent. */
  release(subnet: Subnet): void {
    const index = this.#indexOf(ip2long(subnet.gateway))
    if (this.#allocated.get(index) === subnet) this.#allocated.delete(index)
  }

  /** Skips the subnets that overlap `cidr`, a network of others, until the pool is exhausted once. IPv6 is ignored. */
  avoid(cidr: string): void {
    const block = parseBlock(cidr)
    if (!block) return
    const from = Math.max(0, this.#indexOf(block.netLong))
    const to = Math.min(this.#count - 1, this.#indexOf(block.netLong + block.size - 1))
    for (let index = from; index <= to; index++) this.#foreign.add(index)
  }

  #subnet(index: number): Subnet {
    const first = this.#first + index * this.#size
    return { cidr: `${long2ip(first)}/${this.prefix}`, gateway: long2ip(first + 1) }
  }

  #indexOf(address: number): number {
    return Math.floor((address - this.#first) / this.#size)
  }
}

/** Undefined for what is not an IPv4 block. */
function parseBlock(text: string): Netmask | undefined {
  if (text.includes(':')) return undefined
  try {
    return new Netmask(text)
  } catch {
    return undefined
  }
}
