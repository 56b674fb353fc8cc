/**
 * The first cause of an ending wins.
 *
 * INVARIANT: `take` returns true exactly once, for the cause that `decided` resolves with.
 */
export class FirstCause<Cause> {
  readonly decided: Promise<Cause>
  #decide!: (cause: Cause) => void
  #taken = false

  constructor() {
    this.decided = new Promise((resolve) => (this.#decide = resolve))
  }

  get taken(): boolean {
    return this.#taken
  }

  /** Whether `cause` is the one that counts. */
  take(cause: Cause): boolean {
    if (this.#taken) return false
    this.#taken = true
    this.#decide(cause)
    return true
  }
}
