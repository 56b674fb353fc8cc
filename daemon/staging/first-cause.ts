/**
 * The first cause of an ending wins.
 *
 * INVARIANT: `decide` returns true exactly once, for the cause that `decided` resolves with.
 */
export class FirstCause<Cause> {
  readonly decided: Promise<Cause>
  #resolve!: (cause: Cause) => void
  #first: { readonly cause: Cause } | undefined

  constructor() {
    this.decided = new Promise((resolve) => (this.#resolve = resolve))
  }

  /** Undefined until there is one. */
  get first(): Cause | undefined {
    return this.#first?.cause
  }

  /** Returns whether `cause` is the first one. */
  decide(cause: Cause): boolean {
    if (this.#first) return false
    this.#first = { cause }
    this.#resolve(cause)
    return true
  }
}
