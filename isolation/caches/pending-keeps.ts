import { setTimeout as delay } from 'node:timers/promises'

/** How long a launch waits for one that is being kept, in milliseconds. */
const LONGEST_WAIT_MS = 5_000

/** The caches that are being put away: a launch waits for its own, so that it has what the last one has left. */
export class PendingKeeps {
  readonly #pending = new Map<string, Set<Promise<void>>>()

  /** @param work settles when the cache is kept or dropped */
  add(cache: string, work: Promise<void>): void {
    const all = this.#pending.get(cache) ?? new Set()
    this.#pending.set(cache, all.add(work))
    void work.finally(() => {
      all.delete(work)
      if (all.size === 0 && this.#pending.get(cache) === all) this.#pending.delete(cache)
    })
  }

  /** Resolves when all of this cache are over, or after the longest wait. */
  async wait(cache: string): Promise<void> {
    const done = new AbortController()
    await Promise.race([
      Promise.all([...(this.#pending.get(cache) ?? [])]),
      delay(LONGEST_WAIT_MS, undefined, { signal: done.signal }).catch(() => undefined),
    ])
    done.abort()
  }
}
