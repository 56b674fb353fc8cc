/** One line of /proc/PID/uid_map or gid_map: user_namespaces(7). */
export interface IdRange {
  /** The first id inside the namespace. */
  readonly inside: number
  /** The id outside of it, as on the disk, that `inside` stands for. */
  readonly outside: number
  readonly length: number
}

/** How a user namespace maps user ids, or group ids. */
export class IdMap {
  constructor(readonly ranges: readonly IdRange[]) {}

  /** @param text in the format of the kernel */
  static parse(text: string): IdMap {
    const lines = text.split('\n').filter((line) => line.trim() !== '')
    return new IdMap(
      lines.map((line) => {
        const [inside = NaN, outside = NaN, length = NaN] = line.trim().split(/\s+/).map(Number)
        return { inside, outside, length }
      }),
    )
  }

  /** Undefined where the id stands for nothing: the kernel refuses to make it an owner. */
  outside(id: number): number | undefined {
    const range = this.ranges.find(({ inside, length }) => id >= inside && id < inside + length)
    return range && range.outside + id - range.inside
  }

  /** Undefined where the namespace has no name for the id. */
  inside(id: number): number | undefined {
    const range = this.ranges.find(({ outside, length }) => id >= outside && id < outside + length)
    return range && range.inside + id - range.outside
  }

  /** In the format of the kernel, which accepts it for a new namespace. */
  get text(): string {
    return this.ranges.map(({ inside, outside, length }) => `${inside} ${outside} ${length}\n`).join('')
  }

  /** For people: `0 to 65535`. */
  get insideInWords(): string {
    const joined: { first: number; last: number }[] = []
    for (const { inside, length } of this.ranges) {
      const before = joined.at(-1)
      if (before && before.last + 1 === inside) before.last += length
      else joined.push({ first: inside, last: inside + length - 1 })
    }
    return joined.map(({ first, last }) => `${first} to ${last}`).join(', ')
  }
}
