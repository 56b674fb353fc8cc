/** A promise with its resolve and reject functions, as `Promise.withResolvers` returns them from Node 22 on. */
export class Deferred<T> {
  readonly promise: Promise<T>
  resolve!: (value: T) => void
  reject!: (reason: unknown) => void

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    // A rejection that nobody awaits would end the process. Those who await the promise still see it.
    this.promise.catch(() => undefined)
  }
}
