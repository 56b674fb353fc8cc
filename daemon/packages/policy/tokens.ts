import { createToken, Lexer, type TokenType } from 'chevrotain'

/*
 * Every character of any text belongs to some token, so that it is always the parser that finds a mistake, and says what
 * would have been right at that place.
 */

export const QuotedText = createToken({ name: 'QuotedText', pattern: /"[^"\n]*"/ })
/** Names, realms, keywords and sizes alike: which of them is meant depends on the place. */
export const Word = createToken({ name: 'Word', pattern: /[^\s,{}()"]+/ })
export const Comma = createToken({ name: 'Comma', pattern: ',' })
export const BlockStart = createToken({ name: 'BlockStart', pattern: '{' })
export const BlockEnd = createToken({ name: 'BlockEnd', pattern: '}' })
export const GroupStart = createToken({ name: 'GroupStart', pattern: '(' })
export const GroupEnd = createToken({ name: 'GroupEnd', pattern: ')' })
export const On = createToken({ name: 'On', pattern: /on(?=\s)/, longer_alt: Word })
export const If = createToken({ name: 'If', pattern: /if(?=[\s(])/, longer_alt: Word })
/** No rule takes it: wherever it stands, it is the mistake. */
export const OpenText = createToken({ name: 'OpenText', pattern: /"[^\n]*/ })

const Space = createToken({ name: 'Space', pattern: /\s+/, group: Lexer.SKIPPED, line_breaks: true })
const Comment = createToken({ name: 'Comment', pattern: /(?:\/\/|#)[^\n]*/, group: Lexer.SKIPPED })

/** In the order in which they are tried. */
export const TOKENS: TokenType[] = [
  Space,
  Comment,
  QuotedText,
  OpenText,
  On,
  If,
  Word,
  Comma,
  BlockStart,
  BlockEnd,
  GroupStart,
  GroupEnd,
]
