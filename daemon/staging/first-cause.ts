/**
 * The first cause of an ending wins.
 *
 * INVARIANT: `decide` returns true exactly once, for the cause that `decided` resolves with.
 */
export class FirstCause<Cause> {
  readonly decided: Promise<Cause>
  #resolve!: (cause: Cause) => void
  #isDecided = false

  constructor() {
    this.decided = new Promise((resolve) => (this.#resolve = resolve))
  }

  get isDecided(): boolean {
    return this.#isDecided
  }

  /** Returns whether `cause` is the first one. */
  decide(cause: Cause): boolean {
    if (this.#isDecided) return false
    this.#isDecided = true
    this.#resolve(cause)
    return true
  }
}
