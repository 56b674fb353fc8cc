import { setTimeout as delay } from 'node:timers/promises'

/** How long a launch waits for a cache to be put away whose launch has ended, in milliseconds. */
const LONGEST_WAIT_MS = 5_000

/** Neither rejects. */
export interface PendingKeep {
  /** The program that has the cache has ended: it may go on for some seconds after its verdict. */
  readonly ended: Promise<unknown>
  /** The cache is kept, or dropped. */
  readonly over: Promise<void>
}

/** The caches that are being put away: a launch waits for its own, so that it has what the last one has left. */
export class PendingKeeps {
  readonly #pending = new Map<string, Set<PendingKeep>>()

  constructor(private readonly longestWaitMs = LONGEST_WAIT_MS) {}

  add(cache: string, keep: PendingKeep): void {
    const all = this.#pending.get(cache) ?? new Set()
    this.#pending.set(cache, all.add(keep))
    void keep.over.finally(() => {
      all.delete(keep)
      if (all.size === 0 && this.#pending.get(cache) === all) this.#pending.delete(cache)
    })
  }

  /** Resolves when all of this cache are over; for each, at the latest so long after its program has ended. */
  async wait(cache: string): Promise<void> {
    await Promise.all([...(this.#pending.get(cache) ?? [])].map((keep) => this.#waitFor(keep)))
  }

  async #waitFor({ ended, over }: PendingKeep): Promise<void> {
    const done = new AbortController()
    const late = async () => {
      await ended
      await delay(this.longestWaitMs, undefined, { signal: done.signal }).catch(() => undefined)
    }
    await Promise.race([over, late()])
    done.abort()
  }
}
