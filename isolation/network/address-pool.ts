import { BadInput } from '../../base/errors.js'

/** One network out of the pool. */
export interface Subnet {
  /** As Docker takes it: `198.18.0.16/28`. */
  readonly cidr: string
  /** The host's side: the first usable address. */
  readonly gateway: string
}

/**
 * The networks that launches may have: a block of addresses of ours, cut into equal pieces, because Docker's own pools
 * end after some thirty networks.
 *
 * INVARIANTS
 * - A piece is with at most one taker between `take` and `give`.
 * - Pieces are handed out in turn, so that one which has just been given back, and which the kernel may still be
 *   tearing down, comes last.
 */
export class AddressPool {
  readonly #first: number
  readonly #count: number
  readonly #size: number
  readonly #taken = new Set<number>()
  #foreign = new Set<number>()
  #next: number

  /**
   * @param block the whole pool, as `198.18.0.0/16`
   * @param prefix length of a piece's prefix; /28 has 13 addresses for containers, and costs 16 of the block
   * @param start which piece is handed out first: nodes that share a block should not begin at the same one
   * Throws `BadInput` (`bad-address-pool`).
   */
  constructor(
    readonly block: string,
    readonly prefix = 28,
    start = 0,
  ) {
    const range = parseCidr(block)
    if (!range || range.prefix > prefix)
      throw new BadInput(
        'bad-address-pool',
        `${JSON.stringify(block)} is not an address pool: write an IPv4 block of /${prefix} or larger, such as 198.18.0.0/16.`,
      )
    this.#first = range.first
    this.#size = 2 ** (32 - prefix)
    this.#count = 2 ** (prefix - range.prefix)
    this.#next = start % this.#count
  }

  /** How many pieces there are. */
  get capacity(): number {
    return this.#count
  }

  /** A free piece; undefined when there is none. */
  take(): Subnet | undefined {
    for (let tried = 0; tried < this.#count; tried++) {
      const index = this.#next
      this.#next = (this.#next + 1) % this.#count
      if (this.#taken.has(index) || this.#foreign.has(index)) continue
      this.#taken.add(index)
      return this.#subnet(index)
    }
    // Strangers' networks come and go: what they held is worth another look the next time.
    this.#foreign = new Set()
    return undefined
  }

  give(subnet: Subnet): void {
    const range = parseCidr(subnet.cidr)
    if (range) this.#taken.delete((range.first - this.#first) / this.#size)
  }

  /** Somebody else uses `cidr`: no piece that touches it is handed out until the pool has run dry once. */
  avoid(cidr: string): void {
    const range = parseCidr(cidr)
    if (!range) return
    const from = Math.max(0, Math.floor((range.first - this.#first) / this.#size))
    const to = Math.min(this.#count - 1, Math.floor((range.last - this.#first) / this.#size))
    for (let index = from; index <= to; index++) this.#foreign.add(index)
  }

  #subnet(index: number): Subnet {
    const first = this.#first + index * this.#size
    return { cidr: `${formatAddress(first)}/${this.prefix}`, gateway: formatAddress(first + 1) }
  }
}

const CIDR = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/

/** First and last address as numbers, because JavaScript's bit operations are signed. */
function parseCidr(text: string): { first: number; last: number; prefix: number } | undefined {
  const parts = CIDR.exec(text)?.slice(1).map(Number)
  if (!parts) return undefined
  const [a = 0, b = 0, c = 0, d = 0, prefix = 0] = parts
  if (Math.max(a, b, c, d) > 255 || prefix > 32) return undefined
  const size = 2 ** (32 - prefix)
  const first = Math.floor((((a * 256 + b) * 256 + c) * 256 + d) / size) * size
  return { first, last: first + size - 1, prefix }
}

function formatAddress(address: number): string {
  return [2 ** 24, 2 ** 16, 2 ** 8, 1].map((unit) => Math.floor(address / unit) % 256).join('.')
}
