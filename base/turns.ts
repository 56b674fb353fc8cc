import { Deferred } from './deferred.js'

/** One holder for each key at a time, in the order in which they have asked. */
export class Turns {
  /** Of the last who has asked: resolves when that one has given it back. */
  readonly #last = new Map<string, Promise<void>>()

  /** Resolves when nobody else has it, with what gives it back, which is idempotent. */
  async take(key: string): Promise<() => void> {
    const before = this.#last.get(key)
    const over = new Deferred<void>()
    this.#last.set(key, over.promise)
    await before
    return () => {
      if (this.#last.get(key) === over.promise) this.#last.delete(key)
      over.resolve()
    }
  }

  /** Whether anybody has it, or waits for it. */
  isTaken(key: string): boolean {
    return this.#last.has(key)
  }
}
