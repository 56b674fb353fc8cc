import { StagerdError } from '../../base/errors.js'
import type { InterruptReason } from '../terminal/io.js'

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
 *
 * When the terminal is lost, `signal` aborts at once: nobody asks for a graceful end, and a staging goes on.
 */
export class Interrupts {
  readonly #controller = new AbortController()
  readonly #unsubscribe: () => void
  #firstHandler: (() => void) | undefined

  constructor(onInterrupt: (listener: (reason: InterruptReason) => void) => () => void) {
    this.#unsubscribe = onInterrupt((reason) => this.interrupt(reason))
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

  interrupt(reason: InterruptReason = 'interrupt'): void {
    const handler = reason === 'interrupt' ? this.#firstHandler : undefined
    this.#firstHandler = undefined
    if (handler) {
      handler()
      return
    }
    this.#unsubscribe()
    this.#controller.abort(new Interrupted())
  }
}
