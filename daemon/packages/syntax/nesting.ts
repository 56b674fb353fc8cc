import { DocumentSyntaxError, type TextPosition } from './syntax-error.js'

/** Deeper documents would need as deep a stack to read them. */
export const MAX_NESTING = 64

/** Counts the blocks of a document that are open while it is read. */
export class Nesting {
  #depth = 0

  /** The result of `read`. Throws `DocumentSyntaxError` within too many others. @param at where the block begins */
  within<T>(at: () => TextPosition, read: () => T): T {
    if (this.#depth >= MAX_NESTING)
      throw new DocumentSyntaxError(at(), `at most ${MAX_NESTING} blocks within each other`, 'one more')
    this.#depth += 1
    try {
      return read()
    } finally {
      this.#depth -= 1
    }
  }
}
