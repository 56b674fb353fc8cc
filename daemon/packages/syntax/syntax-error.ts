import { BadInput } from '../../../base/errors.js'

/** A place in a text that a person wrote; both count from 1, columns in UTF-16 units, as editors do. */
export interface TextPosition {
  readonly line: number
  readonly column: number
}

/** A text that its grammar, or what its words mean, does not allow; `code` is `bad-syntax`. */
export class SyntaxFault extends BadInput {
  readonly line: number
  readonly column: number

  /**
   * @param expected what would be right at that place: `a comma or a new line`
   * @param found what stands there instead: `"}"`, `the end of the text`
   */
  constructor(
    { line, column }: TextPosition,
    readonly expected: string,
    readonly found: string,
    options?: ErrorOptions,
  ) {
    super('bad-syntax', `Line ${line}, column ${column}: expected ${expected}, found ${found}.`, options)
    this.line = line
    this.column = column
  }
}
