import { createToken, Lexer, type TokenType } from 'chevrotain'

/*
 * Every character belongs to some token, so that the lexer never fails and the parser reports every error with what it
 * expects at that position.
 */

/** A shell body up to the first `)` in column 0. Its content is not parsed. */
export const Body = createToken({
  name: 'Body',
  label: 'a body in ( … )',
  pattern: /\([\s\S]*?\n\)/,
  line_breaks: true,
})

export const QuotedString = createToken({
  name: 'QuotedString',
  label: 'a quoted string',
  pattern: /"(?:[^"\\\n]|\\[^\n])*"|'[^'\n]*'/,
})

/** Without colons, because a colon also ends a key. The parser joins `https://example.org` again. */
export const Word = createToken({ name: 'Word', label: 'a word', pattern: /[^\s,:{}[\]()#"']+/ })
export const Colon = createToken({ name: 'Colon', label: 'a colon', pattern: ':' })
export const Comma = createToken({ name: 'Comma', label: 'a comma', pattern: ',' })
export const Newline = createToken({ name: 'Newline', label: 'a new line', pattern: /\n/, line_breaks: true })
export const BlockStart = createToken({ name: 'BlockStart', label: '"{"', pattern: '{' })
export const BlockEnd = createToken({ name: 'BlockEnd', label: '"}"', pattern: '}' })
export const ListStart = createToken({ name: 'ListStart', label: '"["', pattern: '[' })
export const ListEnd = createToken({ name: 'ListEnd', label: '"]"', pattern: ']' })

/** No grammar rule accepts these tokens, so each of them causes a syntax error. */
export const UnterminatedBody = createToken({
  name: 'UnterminatedBody',
  label: 'an unterminated body',
  pattern: /\([\s\S]*/,
  line_breaks: true,
})
export const UnterminatedString = createToken({
  name: 'UnterminatedString',
  label: 'an unterminated string',
  pattern: /["'][^\n]*/,
})
export const Stray = createToken({ name: 'Stray', label: 'a stray character', pattern: /[^\n]/ })

const Space = createToken({ name: 'Space', pattern: /[^\S\n]+/, group: Lexer.SKIPPED })
const Comment = createToken({ name: 'Comment', pattern: /#[^\n]*/, group: Lexer.SKIPPED })

/** The lexer tries them in this order. */
export const TOKENS: TokenType[] = [
  Space,
  Comment,
  Newline,
  Body,
  UnterminatedBody,
  QuotedString,
  UnterminatedString,
  Word,
  Colon,
  Comma,
  BlockStart,
  BlockEnd,
  ListStart,
  ListEnd,
  Stray,
]
