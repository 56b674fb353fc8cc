import type { Staging } from '../model/staging.js'

export interface QueueWork {
  /** Makes the oldest queued staging running; undefined if none is queued. */
  admitNext(): Promise<Staging | undefined>
  /** Resolves when the staging has ended and everything of it is released. Never rejects. */
  work(staging: Staging): Promise<void>
}

/**
 * Admits stagings first in, first out, up to a limit of running ones.
 *
 * INVARIANTS
 * - At most `limit` stagings run. One loop admits them, so they are admitted in the order of submission.
 * - Nothing is admitted before `open` or after `close`. The interrupted stagings that `open` takes come first, and count
 *   against the limit.
 */
export class StagingQueue {
  readonly #limit: number
  readonly #parts: QueueWork
  readonly #onError: (error: unknown) => void
  readonly #active = new Set<Promise<void>>()
  #resumed: Staging[] = []
  #open = false
  #pumping: Promise<void> | undefined
  #again = false

  constructor(limit: number, parts: QueueWork, onError: (error: unknown) => void) {
    this.#limit = limit
    this.#parts = parts
    this.#onError = onError
  }

  open(resumed: readonly Staging[]): void {
    this.#resumed = [...resumed]
    this.#open = true
    this.notify()
  }

  /** To be called when a staging may have been queued. */
  notify(): void {
    if (this.#pumping) {
      this.#again = true
      return
    }
    this.#pumping = this.#pump()
      .catch(this.#onError)
      .finally(() => {
        this.#pumping = undefined
        if (this.#again) {
          this.#again = false
          this.notify()
        }
      })
  }

  /** Resolves when no staging runs. */
  async close(): Promise<void> {
    this.#open = false
    await this.#pumping
    while (this.#active.size > 0) await Promise.all(this.#active)
  }

  #isOpen(): boolean {
    return this.#open
  }

  async #pump(): Promise<void> {
    while (this.#open && this.#active.size < this.#limit) {
      const next = this.#resumed.shift() ?? (await this.#parts.admitNext())
      // A staging that was admitted during `close` is recorded as running: it continues at the next start.
      if (!next || !this.#isOpen()) return
      const work: Promise<void> = this.#parts.work(next).finally(() => {
        this.#active.delete(work)
        this.notify()
      })
      this.#active.add(work)
    }
  }
}
