import { Deferred } from './deferred.js'

/** One holder for each key at a time, in the order in which they have asked. */
export class Turns {
  /** Who has it, and after that who waits for it: each resolves when that one has given it back. Never empty. */
  readonly #queues = new Map<string, Promise<void>[]>()

  /** Resolves when nobody else has it, with what gives it back, which is idempotent. */
  async take(key: string): Promise<() => void> {
    const queue = this.#queues.get(key) ?? []
    this.#queues.set(key, queue)
    const before = queue.at(-1)
    const over = new Deferred<void>()
    queue.push(over.promise)
    await before
    return () => {
      if (queue[0] !== over.promise) return
      void queue.shift()
      if (queue.length === 0) this.#queues.delete(key)
      over.resolve()
    }
  }

  /** Whether anybody has it, or waits for it. */
  isTaken(key: string): boolean {
    return this.#queues.has(key)
  }

  /** Whether anybody waits for it. */
  isAwaited(key: string): boolean {
    return (this.#queues.get(key)?.length ?? 0) > 1
  }
}
