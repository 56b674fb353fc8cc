import { EOF, Lexer } from 'chevrotain'
import { SyntaxFault, type TextPosition } from '../syntax/syntax-error.js'
import { readStatements } from './read-statements.js'
import type { Policy } from './policy.js'
import { describeToken, positionOf } from './policy-messages.js'
import { PolicyParser } from './policy-parser.js'
import { TOKENS } from './tokens.js'

let tools: { readonly lexer: Lexer; readonly parser: PolicyParser } | undefined

/**
 * A policy document. Throws `SyntaxFault` for the first mistake, be it of grammar or of meaning: a claim that is not
 * known, a package where a realm belongs, a size that is none.
 */
export function parsePolicy(source: string): Policy {
  // Made at the first use: a grammar is analysed once, and importing a file does nothing.
  tools ??= { lexer: new Lexer(TOKENS), parser: new PolicyParser() }
  const { lexer, parser } = tools
  const text = source.replace(/^\uFEFF/, '').replace(/\r\n/g, '\n')
  parser.input = lexer.tokenize(text).tokens
  const realms = parser.document()
  const [error] = parser.errors
  if (error) {
    const at = error.token.tokenType === EOF ? endOf(text) : positionOf(error.token)
    throw new SyntaxFault(at, error.message, describeToken(error.token))
  }
  return readStatements(realms)
}

function endOf(text: string): TextPosition {
  const lines = text.split('\n')
  return { line: lines.length, column: (lines.at(-1) ?? '').length + 1 }
}
