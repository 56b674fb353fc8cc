import { EOF, Lexer, type IToken } from 'chevrotain'
import { DocumentSyntaxError, type TextPosition } from '../syntax/syntax-error.js'
import { DocumentParser } from './document-parser.js'
import type { Entry } from './document.js'
import { describeToken, positionOf } from './syntax-messages.js'
import { UnterminatedBody, UnterminatedString, TOKENS } from './tokens.js'

let tools: { readonly lexer: Lexer; readonly parser: DocumentParser } | undefined

/**
 * Parses a build script or a manifest. Returns its entries in order.
 *
 * Throws `DocumentSyntaxError` for the first error.
 */
export function parseDocument(source: string): Entry[] {
  // Created on first use, because importing a file must do nothing. The grammar is analysed only once.
  tools ??= { lexer: new Lexer(TOKENS, { ensureOptimizations: false }), parser: new DocumentParser() }
  const { lexer, parser } = tools
  const text = source.replace(/^\uFEFF/, '').replace(/\r\n/g, '\n')
  const { tokens } = lexer.tokenize(text)
  const open = tokens.find(({ tokenType }) => tokenType === UnterminatedBody || tokenType === UnterminatedString)
  parser.input = tokens
  const entries = parser.document()
  const [error] = parser.errors
  if (error) {
    const at = error.token.tokenType === EOF ? endOf(text) : positionOf(error.token)
    throw open && isAtOrAfter(error.token, open)
      ? unterminated(open)
      : new DocumentSyntaxError(at, error.message, describeToken(error.token))
  }
  return entries
}

/** An unterminated token consumes the rest of the document. An error at or after it is a consequence of it. */
function isAtOrAfter(token: IToken, open: IToken): boolean {
  return token.tokenType === EOF || token.startOffset >= open.startOffset
}

function unterminated(open: IToken): DocumentSyntaxError {
  const expected =
    open.tokenType === UnterminatedBody ? 'a ) in column 0 that closes the body' : 'a closing quote on the same line'
  return new DocumentSyntaxError(positionOf(open), expected, describeToken(open))
}

function endOf(text: string): TextPosition {
  const lines = text.split('\n')
  return { line: lines.length, column: (lines.at(-1) ?? '').length + 1 }
}
