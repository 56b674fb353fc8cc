import { createToken, Lexer, type TokenType } from 'chevrotain'

/*
 * Every character of any text belongs to some token, so that it is always the parser that finds a mistake, and says what
 * would have been right at that place.
 */

/** A body of shell, up to the first `)` in column 0: nothing of it is looked at. */
export const Body = createToken({
  name: 'Body',
  label: 'a body in ( … )',
  pattern: /\([\s\S]*?\n\)/,
  line_breaks: true,
})

export const QuotedText = createToken({
  name: 'QuotedText',
  label: 'a quoted text',
  pattern: /"(?:[^"\\\n]|\\[^\n])*"|'[^'\n]*'/,
})

/** Without its colons, because a colon also ends a key: the parser puts `https://example.org` together again. */
export const Word = createToken({ name: 'Word', label: 'a word', pattern: /[^\s,:{}[\]()#"']+/ })
export const Colon = createToken({ name: 'Colon', label: 'a colon', pattern: ':' })
export const Comma = createToken({ name: 'Comma', label: 'a comma', pattern: ',' })
export const Newline = createToken({ name: 'Newline', label: 'a new line', pattern: /\n/, line_breaks: true })
export const BlockStart = createToken({ name: 'BlockStart', label: '"{"', pattern: '{' })
export const BlockEnd = createToken({ name: 'BlockEnd', label: '"}"', pattern: '}' })
export const ListStart = createToken({ name: 'ListStart', label: '"["', pattern: '[' })
export const ListEnd = createToken({ name: 'ListEnd', label: '"]"', pattern: ']' })

/** No rule takes these: wherever one stands, it is the mistake. */
export const OpenBody = createToken({
  name: 'OpenBody',
  label: 'an open body',
  pattern: /\([\s\S]*/,
  line_breaks: true,
})
export const OpenText = createToken({ name: 'OpenText', label: 'an open text', pattern: /["'][^\n]*/ })
export const Stray = createToken({ name: 'Stray', label: 'a stray character', pattern: /[^\n]/ })

const Space = createToken({ name: 'Space', pattern: /[^\S\n]+/, group: Lexer.SKIPPED })
const Comment = createToken({ name: 'Comment', pattern: /#[^\n]*/, group: Lexer.SKIPPED })

/** In the order in which they are tried. */
export const TOKENS: TokenType[] = [
  Space,
  Comment,
  Newline,
  Body,
  OpenBody,
  QuotedText,
  OpenText,
  Word,
  Colon,
  Comma,
  BlockStart,
  BlockEnd,
  ListStart,
  ListEnd,
  Stray,
]
