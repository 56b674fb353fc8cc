import { EOF, type IParserErrorMessageProvider, type IToken } from 'chevrotain'
import { quote } from '../../../base/fqn.js'
import type { TextPosition } from '../syntax/syntax-error.js'
import { BlockStart, Comma, ListStart, Newline, UnterminatedBody, UnterminatedString } from './tokens.js'

const VALUE = 'a value: a quoted string, a word, {, [ or ('

/** Returns only what was expected. The position and what was found come from the token of the error. */
export class SyntaxMessages implements IParserErrorMessageProvider {
  /** A missing token is always one that ends a block, a list or an entry. */
  buildMismatchTokenMessage({ previous, ruleName }: { previous: IToken; ruleName: string }): string {
    const separated = [EOF, Comma, Newline, BlockStart, ListStart].includes(previous.tokenType)
    switch (ruleName) {
      case 'block':
        return `${separated ? 'a key' : 'a comma, a new line'} or the } that closes the block`
      case 'list':
        return `${separated ? 'a value' : 'a comma, a new line'} or the ] that closes the list`
      default:
        return separated ? 'a key' : 'a comma or a new line'
    }
  }

  buildNotAllInputParsedMessage(): string {
    return 'the end of the document'
  }

  buildNoViableAltMessage(): string {
    return VALUE
  }

  buildEarlyExitMessage(): string {
    return VALUE
  }
}

export function positionOf({ startLine, startColumn }: IToken): TextPosition {
  return { line: startLine ?? 1, column: startColumn ?? 1 }
}

export function describeToken(token: IToken): string {
  switch (token.tokenType) {
    case EOF:
      return 'the end of the document'
    case Newline:
      return 'the end of the line'
    case UnterminatedBody:
      return '"(" without a closing ) in column 0'
    case UnterminatedString:
      return `${quote(token.image)} without a closing quote on the same line`
    default:
      return quote(token.image.split('\n')[0] ?? '')
  }
}
