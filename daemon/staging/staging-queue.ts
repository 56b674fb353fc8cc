import type { Staging } from '../model/staging.js'

export interface QueueWork {
  /** The oldest that waits becomes running; undefined when none waits. */
  admitNext(): Promise<Staging | undefined>
  /** From admission to the last undo; never rejects. */
  work(staging: Staging): Promise<void>
}

/**
 * First come, first served, with a limit on how many are at work.
 *
 * INVARIANTS
 * - Never more than `limit` at work; one pump at a time, so admissions are in the order of submission.
 * - Nothing is admitted before `open` or after `close`. What `open` brings (interrupted stagings) goes first, and
 *   counts against the limit like any other.
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

  /** There may be something to admit. */
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

  /** Resolves when nothing is at work any more. */
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
      // What was admitted while the queue was being closed is running, and goes on at the next start.
      if (!next || !this.#isOpen()) return
      const work: Promise<void> = this.#parts.work(next).finally(() => {
        this.#active.delete(work)
        this.notify()
      })
      this.#active.add(work)
    }
  }
}
