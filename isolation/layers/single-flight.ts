import { setMaxListeners } from 'node:events'

/**
 * Runs work once for all concurrent callers with the same key, for a limited number of keys at once.
 *
 * INVARIANTS
 * - A call for a key whose work is in progress shares its result or error.
 * - An aborted caller leaves at once. The work is aborted when its last caller has left, and no call joins it after that.
 * - The work of at most `atOnce` keys is in progress; the rest is queued first in, first out.
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
    // One launch waits for all layers of its closure, so many listeners on its signal are not a leak.
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
