import { setImmediate } from 'node:timers/promises'

/** After so many milliseconds others get their turn. */
const STRETCH_MS = 2

/**
 * Work in stretches: what a stager can make as long as it likes must not hold the daemon's only thread up.
 *
 *   if (stretch.isOver) await stretch.rest()
 */
export class TimeSlice {
  #began = performance.now()

  constructor(private readonly signal: AbortSignal | undefined) {}

  get isOver(): boolean {
    return performance.now() - this.#began > STRETCH_MS
  }

  /** Throws the reason of the signal, if it is aborted. */
  async yield(): Promise<void> {
    await setImmediate()
    this.signal?.throwIfAborted()
    this.#began = performance.now()
  }
}
