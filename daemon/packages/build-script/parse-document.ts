import { EOF, Lexer, type IToken } from 'chevrotain'
import { SyntaxFault, type TextPosition } from '../syntax/syntax-error.js'
import { DocumentParser } from './document-parser.js'
import type { Entry } from './document.js'
import { describeToken, positionOf } from './syntax-messages.js'
import { OpenBody, OpenText, TOKENS } from './tokens.js'

let tools: { readonly lexer: Lexer; readonly parser: DocumentParser } | undefined

/**
 * The entries of a build script or a manifest, in their order.
 *
 * Throws `SyntaxFault` for the first mistake.
 */
export function parseDocument(source: string): Entry[] {
  // Made at the first use: a grammar is analysed once, and importing a file does nothing.
  tools ??= { lexer: new Lexer(TOKENS, { ensureOptimizations: false }), parser: new DocumentParser() }
  const { lexer, parser } = tools
  const text = source.replace(/^\uFEFF/, '').replace(/\r\n/g, '\n')
  const { tokens } = lexer.tokenize(text)
  const open = tokens.find(({ tokenType }) => tokenType === OpenBody || tokenType === OpenText)
  parser.input = tokens
  const entries = parser.document()
  const [error] = parser.errors
  if (error) {
    const at = error.token.tokenType === EOF ? endOf(text) : positionOf(error.token)
    throw open && isAtOrBehind(error.token, open)
      ? unended(open)
      : new SyntaxFault(at, error.message, describeToken(error.token))
  }
  return entries
}

/** What is open swallows the rest: whatever comes of it, it is the mistake. */
function isAtOrBehind(token: IToken, open: IToken): boolean {
  return token.tokenType === EOF || token.startOffset >= open.startOffset
}

function unended(open: IToken): SyntaxFault {
  const expected =
    open.tokenType === OpenBody ? 'a ) in column 0 that ends the body' : 'a quote that ends the text on its line'
  return new SyntaxFault(positionOf(open), expected, describeToken(open))
}

function endOf(text: string): TextPosition {
  const lines = text.split('\n')
  return { line: lines.length, column: (lines.at(-1) ?? '').length + 1 }
}
