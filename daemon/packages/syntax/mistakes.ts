import { BadInput } from '../../../base/errors.js'
import { DocumentSyntaxError } from './syntax-error.js'

/** Several mistakes of one document; `code` is `bad-syntax`. The message has one line for each. */
export class DocumentMistakes extends BadInput {
  constructor(readonly mistakes: readonly DocumentSyntaxError[]) {
    super(
      'bad-syntax',
      [`There are ${mistakes.length} mistakes.`, ...mistakes.map(({ message }) => `  ${message}`)].join('\n'),
    )
  }
}

/** Collects the mistakes of a document, so that its author sees all of them at once. */
export class Mistakes {
  readonly #found: DocumentSyntaxError[] = []

  readonly report = (mistake: DocumentSyntaxError): void => {
    this.#found.push(mistake)
  }

  /** The result of `read`; undefined after a mistake, which is kept. */
  attempt<T>(read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof DocumentSyntaxError)) throw error
      this.report(error)
      return undefined
    }
  }

  /** Throws `DocumentSyntaxError` for one mistake, `DocumentMistakes` for several, in the order of the document. */
  throwIfAny(): void {
    const [first, ...others] = this.#found.sort((one, other) => one.line - other.line || one.column - other.column)
    if (!first) return
    throw others.length === 0 ? first : new DocumentMistakes(this.#found)
  }
}
