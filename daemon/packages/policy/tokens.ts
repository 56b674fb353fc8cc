import { createToken, Lexer, type TokenType } from 'chevrotain'

/*
 * Every character belongs to some token, so that the lexer never fails and the parser reports every error with what it
 * expects at that position.
 */

export const QuotedString = createToken({ name: 'QuotedString', pattern: /"[^"\n]*"/ })
/** A name, realm, keyword or size, depending on the position. */
export const Word = createToken({ name: 'Word', pattern: /[^\s,{}()"]+/ })
export const Comma = createToken({ name: 'Comma', pattern: ',' })
export const BlockStart = createToken({ name: 'BlockStart', pattern: '{' })
export const BlockEnd = createToken({ name: 'BlockEnd', pattern: '}' })
export const GroupStart = createToken({ name: 'GroupStart', pattern: '(' })
export const GroupEnd = createToken({ name: 'GroupEnd', pattern: ')' })
export const On = createToken({ name: 'On', pattern: /on(?=\s)/, longer_alt: Word })
export const If = createToken({ name: 'If', pattern: /if(?=[\s(])/, longer_alt: Word })
/** No grammar rule accepts this token, so it causes a syntax error. */
export const UnterminatedString = createToken({ name: 'UnterminatedString', pattern: /"[^\n]*/ })

const Space = createToken({ name: 'Space', pattern: /\s+/, group: Lexer.SKIPPED, line_breaks: true })
const Comment = createToken({ name: 'Comment', pattern: /(?:\/\/|#)[^\n]*/, group: Lexer.SKIPPED })

/** The lexer tries them in this order. */
export const TOKENS: TokenType[] = [
  Space,
  Comment,
  QuotedString,
  UnterminatedString,
  On,
  If,
  Word,
  Comma,
  BlockStart,
  BlockEnd,
  GroupStart,
  GroupEnd,
]
