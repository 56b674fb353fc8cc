import { StagerdError } from '../../base/errors.js'

/** The user asked us to stop. */
export class Interrupted extends StagerdError {
  constructor() {
    super('interrupted', 'Interrupted.')
  }
}

/**
 * Ctrl-C, once and twice.
 *
 * The first one goes to whoever has something better to do than to stop (`softly`); without anybody, and at the
 * second, `signal` aborts with `Interrupted`, everything under way ends and cleans up. After that the listener is
 * gone, so that one more ends the process the hard way.
 */
export class Interrupts {
  readonly #controller = new AbortController()
  readonly #unsubscribe: () => void
  #soft: (() => void) | undefined

  constructor(onInterrupt: (listener: () => void) => () => void) {
    this.#unsubscribe = onInterrupt(() => this.interrupt())
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Until the returned function is called, the first interrupt runs `first` instead. */
  softly(first: () => void): () => void {
    this.#soft = first
    return () => (this.#soft = undefined)
  }

  close(): void {
    this.#unsubscribe()
  }

  interrupt(): void {
    const soft = this.#soft
    this.#soft = undefined
    if (soft) {
      soft()
      return
    }
    this.#unsubscribe()
    this.#controller.abort(new Interrupted())
  }
}
