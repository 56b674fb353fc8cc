/** A promise with its handles; what `Promise.withResolvers` gives from Node 22 on. */
export class Deferred<T> {
  readonly promise: Promise<T>
  resolve!: (value: T) => void
  reject!: (reason: unknown) => void

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    // Whoever awaits the promise sees its rejection; that nobody does is no reason to end the process.
    this.promise.catch(() => undefined)
  }
}
