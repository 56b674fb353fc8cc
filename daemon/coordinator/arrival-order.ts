/** The right to act, in the order in which requests arrived. */
export interface Ticket {
  /** Resolves when it is this one's turn. Never rejects. */
  readonly turn: Promise<void>
  /** Let the next one act. Idempotent; must be called, or everybody behind waits for ever. */
  leave(): void
}

/**
 * Puts the requests of one launch in order.
 *
 * INVARIANTS
 * - A mutation waits for every mutation that arrived before it, on whatever connection.
 * - A reading waits for the mutations that arrived before it on the same connection, so that pipelined requests see
 *   their own effects, and for nothing else: a long upload does not hold up `GET /meta` beside it.
 * - A ticket is drawn when the headers are there, before anything is awaited; so order does not depend on how long it
 *   takes to read a body.
 */
export class ArrivalOrder {
  #last: Promise<void> = Promise.resolve()
  readonly #lastOn = new WeakMap<object, Promise<void>>()

  mutation(connection: object): Ticket {
    const turn = this.#last
    let leave = (): void => undefined
    const left = new Promise<void>((resolve) => (leave = resolve))
    this.#last = turn.then(() => left)
    this.#lastOn.set(connection, this.#last)
    return { turn, leave }
  }

  reading(connection: object): Ticket {
    return { turn: this.#lastOn.get(connection) ?? Promise.resolve(), leave: () => undefined }
  }
}
