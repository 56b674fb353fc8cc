import type { Staging } from '../model/staging.js'

export interface QueueWork {
  /** Makes a staging running that is to begin or to go on; undefined if there is none. */
  admitNext(): Promise<Pick<Staging, 'uuid'> | undefined>
  /** Resolves when the staging has ended, or the daemon stops, or it cannot go on. Never rejects. */
  work(staging: string): Promise<WorkOutcome>
}

export type WorkOutcome =
  /** Nothing of it begins any more. `released` resolves when nothing of it is left on the host, and never rejects. */
  | { readonly kind: 'ended'; readonly released: Promise<void> }
  /** It is still running, and is to be taken up again by this node. Everything of it is released. */
  | { readonly kind: 'unfinished' }

/** How long after an error the queue tries again, in milliseconds. */
const RETRY_MS = 5_000

/**
 * Admits stagings first in, first out, up to a limit of running ones.
 *
 * INVARIANTS
 * - At most `limit` stagings run. One loop admits them, so they are admitted in the order of submission. One that has ended
 *   takes no place, though its last launch is still being removed; it is at work until then.
 * - Nothing is admitted before `open` or after `close`; it can be opened again then.
 * - The queue holds UUIDs alone: what a staging is when its turn comes, the ledger says.
 * - While it is held, no staging is admitted.
 * - While the queue is open, something wakes it: a submission, the end of a staging, or a timer after each error.
 */
export class StagingQueue {
  #limit: number
  readonly #parts: QueueWork
  readonly #onError: (error: unknown) => void
  readonly #retryMs: number
  readonly #active = new Set<Promise<void>>()
  /** Of stagings that have ended: their removal from the host. */
  readonly #releasing = new Set<Promise<void>>()
  /** Running ones that are taken up again. */
  #waiting: string[] = []
  /** Those that wait for the timer. */
  #unfinished: string[] = []
  #timer: NodeJS.Timeout | undefined
  #open = false
  #held = false
  /** Whether it has admitted what was there when it was opened, as far as there is room. */
  #hasLooked = false
  #pumping: Promise<void> | undefined
  #again = false

  constructor(limit: number, parts: QueueWork, onError: (error: unknown) => void, retryMs = RETRY_MS) {
    this.#limit = limit
    this.#parts = parts
    this.#onError = onError
    this.#retryMs = retryMs
  }

  open(): void {
    this.#hasLooked = false
    this.#open = true
    this.notify()
  }

  get limit(): number {
    return this.#limit
  }

  /** Running stagings go on, even if there are more. */
  setLimit(limit: number): void {
    this.#limit = limit
    this.notify()
  }

  /** How many stagings run, or have left something that is still being removed. */
  get atWork(): number {
    return this.#active.size + this.#releasing.size
  }

  /** Whether a staging that is submitted now waits for no other. */
  get admitsAtOnce(): boolean {
    return this.#open && this.#hasLooked && !this.#held && !this.isFull
  }

  /** Whether one waits for others to end. */
  get isFull(): boolean {
    return this.#waiting.length > 0 || this.#active.size >= this.#limit
  }

  get held(): boolean {
    return this.#held
  }

  /** Admits nothing until `resume`. What runs goes on. */
  hold(): void {
    this.#held = true
  }

  resume(): void {
    this.#held = false
    this.notify()
  }

  /** Resolves when nothing is at work. Call `hold` before, or something may begin at once. */
  async idle(): Promise<void> {
    await this.#pumping
    while (this.atWork > 0) await Promise.all([...this.#active, ...this.#releasing])
  }

  /** To be called when a staging may have been queued. */
  notify(): void {
    if (this.#pumping) {
      this.#again = true
      return
    }
    this.#pumping = this.#pump()
      .catch((error: unknown) => {
        this.#onError(error)
        this.#retryLater()
      })
      .finally(() => {
        this.#pumping = undefined
        if (this.#again) {
          this.#again = false
          this.notify()
        }
      })
  }

  /** Resolves when nothing is at work. */
  async close(): Promise<void> {
    this.#open = false
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.idle()
    // They are of whoever has them next.
    this.#waiting = []
    this.#unfinished = []
  }

  #isOpen(): boolean {
    return this.#open
  }

  async #pump(): Promise<void> {
    while (this.#open && this.#active.size < this.#limit) {
      const next = this.#waiting.shift() ?? (this.#held ? undefined : (await this.#parts.admitNext())?.uuid)
      // A staging that was admitted during `close` is recorded as running: it continues at the next start.
      if (next === undefined || !this.#isOpen()) break
      const work: Promise<void> = this.#parts.work(next).then((outcome) => {
        this.#active.delete(work)
        if (outcome.kind === 'ended') this.#release(outcome.released)
        else {
          this.#unfinished.push(next)
          this.#retryLater()
        }
        this.notify()
      })
      this.#active.add(work)
    }
    this.#hasLooked = true
  }

  #release(released: Promise<void>): void {
    const releasing = released.finally(() => this.#releasing.delete(releasing))
    this.#releasing.add(releasing)
  }

  #retryLater(): void {
    if (!this.#open) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#waiting.push(...this.#unfinished.splice(0))
      this.notify()
    }, this.#retryMs).unref()
  }
}
