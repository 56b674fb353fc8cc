/**
 * The time since it was made. The steady clock of the process stands still while the host sleeps, and the other one can be set:
 * the longer time counts, so that nothing looks younger than it is.
 */
export class Elapsed {
  readonly #wall = Date.now()
  readonly #steady = performance.now()

  /** In milliseconds. */
  get ms(): number {
    return Math.max(Date.now() - this.#wall, performance.now() - this.#steady)
  }
}
