import { EOF, type IParserErrorMessageProvider, type IToken, type TokenType } from 'chevrotain'
import { quote } from '../../../base/fqn.js'
import type { TextPosition } from '../syntax/syntax-error.js'
import { BlockEnd, BlockStart, GroupEnd, GroupStart, OpenText } from './tokens.js'

const CLAIM = 'a claim such as package.allow, an if, or the } that ends the block'
const REALM = 'a realm such as job::/prod'

/** Gives what was expected in place of a message: the place and what was found are in the error as a token. */
export class PolicyMessages implements IParserErrorMessageProvider {
  buildMismatchTokenMessage({ expected, ruleName }: { expected: TokenType; ruleName: string }): string {
    switch (expected) {
      case BlockStart:
        return `the { that begins what is claimed on the realm`
      case BlockEnd:
        return CLAIM
      case GroupStart:
        return 'the ( that begins a condition'
      case GroupEnd:
        return 'the ) that ends the condition'
      case EOF:
        return `${REALM}, or the end of the text`
      default:
        return ruleName === 'conditional' ? 'a condition such as (dependency equals runtime.ruby)' : REALM
    }
  }

  buildNotAllInputParsedMessage(): string {
    return `${REALM}, or the end of the text`
  }

  buildNoViableAltMessage({ ruleName }: { ruleName: string }): string {
    return ruleName === 'text' ? 'a value: a word, or a text in quotes' : CLAIM
  }

  buildEarlyExitMessage(): string {
    return CLAIM
  }
}

export function positionOf({ startLine, startColumn }: IToken): TextPosition {
  return { line: startLine ?? 1, column: startColumn ?? 1 }
}

export function describeToken(token: IToken): string {
  if (token.tokenType === EOF) return 'the end of the text'
  if (token.tokenType === OpenText) return `${quote(token.image)}, which no quote ends on its line`
  return token.image.startsWith('"') ? token.image : quote(token.image)
}
