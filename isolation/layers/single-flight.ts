import { setMaxListeners } from 'node:events'

/**
 * One piece of work for any number that wait for it.
 *
 * INVARIANTS
 * - While work on a key goes on, whoever asks for that key waits for it, and gets the same result or error.
 * - A waiter that is aborted leaves at once; the work is aborted only when its last waiter has left, and nobody joins it
 *   after that.
 * - At most `atOnce` pieces of work go on; others begin in the order in which they were asked for.
 */
export class SingleFlight<T> {
  readonly #flights = new Map<
    string,
    { readonly result: Promise<T>; readonly abort: AbortController; waiters: number }
  >()
  readonly #queue: (() => void)[] = []
  #free: number

  constructor(atOnce: number) {
    this.#free = atOnce
  }

  async run(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted()
    // One launch waits for as many layers as its closure has packages: that many listeners are no leak.
    setMaxListeners(0, signal)
    let flight = this.#flights.get(key)
    if (!flight) {
      const abort = new AbortController()
      const started = { result: this.#limited(() => work(abort.signal), abort.signal), abort, waiters: 0 }
      this.#flights.set(key, started)
      const land = () => {
        if (this.#flights.get(key) === started) this.#flights.delete(key)
      }
      started.result.then(land, land)
      flight = started
    }
    flight.waiters += 1
    try {
      return await unlessAborted(flight.result, signal)
    } finally {
      flight.waiters -= 1
      if (flight.waiters === 0) {
        if (this.#flights.get(key) === flight) this.#flights.delete(key)
        flight.abort.abort()
      }
    }
  }

  async #limited(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#queue.push(resolve))
    try {
      signal.throwIfAborted()
      return await work()
    } finally {
      const next = this.#queue.shift()
      if (next) next()
      else this.#free += 1
    }
  }
}

function unlessAborted<T>(result: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason as Error)
    signal.addEventListener('abort', leave, { once: true })
    result.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
  })
}
