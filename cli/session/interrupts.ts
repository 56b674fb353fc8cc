import { StagerdError } from '../../base/errors.js'

/** The user has pressed Ctrl-C, or the process has received a signal to terminate. */
export class Interrupted extends StagerdError {
  override readonly kind = 'unavailable'

  constructor() {
    super('interrupted', 'Interrupted.')
  }
}

/**
 * Handles Ctrl-C.
 *
 * The first interrupt runs the handler of `onFirstInterrupt`, if one is set, for a graceful end. Without a handler, and
 * on the second interrupt, `signal` aborts with `Interrupted` and the command cleans up. Then the listener is removed,
 * so that one more interrupt kills the process.
 */
export class Interrupts {
  readonly #controller = new AbortController()
  readonly #unsubscribe: () => void
  #firstHandler: (() => void) | undefined

  constructor(onInterrupt: (listener: () => void) => () => void) {
    this.#unsubscribe = onInterrupt(() => this.interrupt())
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Sets the handler of the first interrupt. The returned function removes it. */
  onFirstInterrupt(handler: () => void): () => void {
    this.#firstHandler = handler
    return () => (this.#firstHandler = undefined)
  }

  close(): void {
    this.#unsubscribe()
  }

  interrupt(): void {
    const handler = this.#firstHandler
    this.#firstHandler = undefined
    if (handler) {
      handler()
      return
    }
    this.#unsubscribe()
    this.#controller.abort(new Interrupted())
  }
}
