/** A place in the order of the requests of one launch. */
export interface Ticket {
  /** Resolves when everything that this request waits for is over. Never rejects. */
  readonly ready: Promise<void>
  /** Admit the next request. Idempotent. Must be called, or all later changes of the launch wait forever. */
  release(): void
}

/**
 * Orders the requests of one launch.
 *
 * This is not a plain mutex: a request takes its place when its headers arrive, long before it knows whether it will
 * act, and a read waits without making others wait.
 *
 * INVARIANTS
 * - A change waits for every change that arrived before it, on any connection.
 * - A read waits for the changes that arrived before it on the same connection, so that pipelined requests see their
 *   own effects. It waits for nothing else: a long upload does not delay `GET /meta` on another connection.
 * - The order does not depend on how long a body takes to arrive.
 */
export class ArrivalOrder {
  #lastChange: Promise<void> = Promise.resolve()
  readonly #lastChangeOn = new WeakMap<object, Promise<void>>()

  change(connection: object): Ticket {
    const ready = this.#lastChange
    let release = (): void => undefined
    const released = new Promise<void>((resolve) => (release = resolve))
    this.#lastChange = ready.then(() => released)
    this.#lastChangeOn.set(connection, this.#lastChange)
    return { ready, release }
  }

  read(connection: object): Ticket {
    return { ready: this.#lastChangeOn.get(connection) ?? Promise.resolve(), release: () => undefined }
  }
}
