import { setImmediate } from 'node:timers/promises'

const SLICE_MS = 2

/**
 * Keeps long work from blocking the event loop, such as work on a tree that a stager makes as large as it likes.
 *
 *   if (slice.isOver) await slice.yield()
 */
export class TimeSlice {
  #began = performance.now()

  constructor(private readonly signal: AbortSignal | undefined) {}

  get isOver(): boolean {
    return performance.now() - this.#began > SLICE_MS
  }

  /** Throws the reason of the signal, if it is aborted. */
  async yield(): Promise<void> {
    await setImmediate()
    this.signal?.throwIfAborted()
    this.#began = performance.now()
  }
}
