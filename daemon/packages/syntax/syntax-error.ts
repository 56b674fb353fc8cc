import { BadInput } from '../../../base/errors.js'

/** A position in a document. Both count from 1; columns count UTF-16 code units, as in editors. */
export interface TextPosition {
  readonly line: number
  readonly column: number
}

/** A build script, manifest or policy document has a syntax error or an invalid value; `code` is `bad-syntax`. */
export class DocumentSyntaxError extends BadInput {
  readonly line: number
  readonly column: number

  /**
   * @param expected what the grammar allows at the position: `a comma or a new line`
   * @param found what is there instead: `"}"`, `the end of the document`
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
