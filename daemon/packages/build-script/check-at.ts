import { BadInput } from '../../../base/errors.js'
import { DocumentSyntaxError, type TextPosition } from '../syntax/syntax-error.js'

/** Runs `check` on a value and adds the position of the value to the error. */
export function checkAt({ at }: { readonly at: TextPosition }, check: () => void): void {
  try {
    check()
  } catch (error) {
    if (!(error instanceof BadInput) || error instanceof DocumentSyntaxError) throw error
    throw new DocumentSyntaxError(at, 'a valid value', `an invalid one: ${error.message.replace(/\.$/, '')}`, {
      cause: error,
    })
  }
}
