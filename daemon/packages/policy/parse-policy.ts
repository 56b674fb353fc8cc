import { EOF, Lexer } from 'chevrotain'
import { DocumentSyntaxError, type TextPosition } from '../syntax/syntax-error.js'
import { readStatements } from './read-statements.js'
import type { Policy } from './policy.js'
import { describeToken, positionOf } from './policy-messages.js'
import { PolicyParser } from './policy-parser.js'
import { TOKENS } from './tokens.js'

let tools: { readonly lexer: Lexer; readonly parser: PolicyParser } | undefined

/**
 * Parses a policy document. Throws `DocumentSyntaxError` for the first error, in the grammar or in a value: an unknown
 * claim, a package in place of a realm, an invalid size.
 */
export function parsePolicy(source: string): Policy {
  // Created on first use, because importing a file must do nothing. The grammar is analysed only once.
  tools ??= { lexer: new Lexer(TOKENS), parser: new PolicyParser() }
  const { lexer, parser } = tools
  const text = source.replace(/^\uFEFF/, '').replace(/\r\n/g, '\n')
  parser.input = lexer.tokenize(text).tokens
  const realms = parser.document()
  const [error] = parser.errors
  if (error) {
    const at = error.token.tokenType === EOF ? endOf(text) : positionOf(error.token)
    throw new DocumentSyntaxError(at, error.message, describeToken(error.token))
  }
  return readStatements(realms)
}

function endOf(text: string): TextPosition {
  const lines = text.split('\n')
  return { line: lines.length, column: (lines.at(-1) ?? '').length + 1 }
}
