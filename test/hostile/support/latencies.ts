/** Times in milliseconds. */
export class Latencies {
  readonly #all: number[] = []

  /** Adds the time of `work`, and returns its result. */
  async of<T>(work: () => Promise<T>): Promise<T> {
    const began = performance.now()
    try {
      return await work()
    } finally {
      this.#all.push(performance.now() - began)
    }
  }

  get count(): number {
    return this.#all.length
  }

  get median(): number {
    return [...this.#all].sort((a, b) => a - b)[Math.floor(this.#all.length / 2)] ?? Number.NaN
  }

  get worst(): number {
    return Math.max(...this.#all)
  }

  get text(): string {
    return `median ${this.median.toFixed(1)} ms, worst ${this.worst.toFixed(1)} ms of ${this.count}`
  }
}
