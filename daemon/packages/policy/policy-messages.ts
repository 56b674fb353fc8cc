import { EOF, type IParserErrorMessageProvider, type IToken, type TokenType } from 'chevrotain'
import { quote } from '../../../base/fqn.js'
import type { TextPosition } from '../syntax/syntax-error.js'
import { BlockEnd, BlockStart, GroupEnd, GroupStart, UnterminatedString } from './tokens.js'

const CLAIM = 'a claim such as package.allow, an if, or the } that closes the block'
const REALM = 'a realm such as job::/prod'

/** Returns only what was expected. The position and what was found come from the token of the error. */
export class PolicyMessages implements IParserErrorMessageProvider {
  buildMismatchTokenMessage({ expected, ruleName }: { expected: TokenType; ruleName: string }): string {
    switch (expected) {
      case BlockStart:
        return 'the { that opens the claims of the realm'
      case BlockEnd:
        return CLAIM
      case GroupStart:
        return 'the ( that opens a condition'
      case GroupEnd:
        return 'the ) that closes the condition'
      case EOF:
        return `${REALM}, or the end of the document`
      default:
        return ruleName === 'conditional' ? 'a condition such as (dependency equals runtime.ruby)' : REALM
    }
  }

  buildNotAllInputParsedMessage(): string {
    return `${REALM}, or the end of the document`
  }

  buildNoViableAltMessage({ ruleName }: { ruleName: string }): string {
    return ruleName === 'value' ? 'a value: a word or a quoted string' : CLAIM
  }

  buildEarlyExitMessage(): string {
    return CLAIM
  }
}

export function positionOf({ startLine, startColumn }: IToken): TextPosition {
  return { line: startLine ?? 1, column: startColumn ?? 1 }
}

export function describeToken(token: IToken): string {
  if (token.tokenType === EOF) return 'the end of the document'
  if (token.tokenType === UnterminatedString) return `${quote(token.image)} without a closing quote on the same line`
  return token.image.startsWith('"') ? token.image : quote(token.image)
}
