/** Runs pieces of work one at a time, in the order of the calls. A piece that fails does not stop the next. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve()

  /** Settles as `work` does. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => undefined)
    return result
  }
}
