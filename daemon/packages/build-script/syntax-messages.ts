import { EOF, type IParserErrorMessageProvider, type IToken } from 'chevrotain'
import { quote } from '../../../base/fqn.js'
import type { TextPosition } from '../syntax/syntax-error.js'
import { BlockStart, Comma, ListStart, Newline, OpenBody, OpenText } from './tokens.js'

const VALUE = 'a value: a text, a word, {, [ or ('

/** Gives what was expected in place of a message: the place and what was found are in the error as a token. */
export class SyntaxMessages implements IParserErrorMessageProvider {
  /** A token that is missing is always one that ends something. */
  buildMismatchTokenMessage({ previous, ruleName }: { previous: IToken; ruleName: string }): string {
    const separated = [EOF, Comma, Newline, BlockStart, ListStart].includes(previous.tokenType)
    switch (ruleName) {
      case 'block':
        return `${separated ? 'a key' : 'a comma, a new line'} or the } that ends the block`
      case 'list':
        return `${separated ? 'a value' : 'a comma, a new line'} or the ] that ends the list`
      default:
        return separated ? 'a key' : 'a comma or a new line'
    }
  }

  buildNotAllInputParsedMessage(): string {
    return 'the end of the text'
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
      return 'the end of the text'
    case Newline:
      return 'the end of the line'
    case OpenBody:
      return '"(", which no ) in column 0 ends'
    case OpenText:
      return `${quote(token.image)}, which no quote ends on its line`
    default:
      return quote(token.image.split('\n')[0] ?? '')
  }
}
