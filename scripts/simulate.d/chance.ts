/** Numbers by chance, the same for the same seed (mulberry32). */
export class Chance {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** From 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  below(count: number): number {
    return Math.floor(this.next() * count)
  }

  /** The time to the next of events that come by chance. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next())
  }

  /** As the durations of programs are: many short ones, and a few that are much longer. */
  lognormal(mean: number, spread: number): number {
    const variance = Math.log(1 + spread ** 2)
    const normal = Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next())
    return mean * Math.exp(Math.sqrt(variance) * normal - variance / 2)
  }
}
