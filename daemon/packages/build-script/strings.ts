import type { IToken } from 'chevrotain'
import { quote } from '../../../base/fqn.js'
import { DocumentSyntaxError } from '../syntax/syntax-error.js'

const ESCAPES: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', '/': '/', n: '\n', r: '\r', t: '\t' }

/**
 * The value of a quoted string. Between single quotes, a backslash is literal.
 *
 * Throws `DocumentSyntaxError` for an unknown escape sequence.
 */
export function parseQuotedString({ image, startLine = 1, startColumn = 1 }: IToken): string {
  const inner = image.slice(1, -1)
  if (image.startsWith("'")) return inner
  return inner.replace(/\\(.)/gu, (escape, character: string, offset: number) => {
    const meant = ESCAPES[character]
    if (meant === undefined)
      throw new DocumentSyntaxError(
        { line: startLine, column: startColumn + 1 + offset },
        'one of the escapes \\" \\\\ \\/ \\n \\r \\t',
        quote(escape),
      )
    return meant
  })
}

/** The inverse of `parseQuotedString`; always with double quotes. */
export function printString(text: string): string {
  const escaped = text.replace(/["\\\n\r\t]/g, (character) => {
    const letter = { '\n': 'n', '\r': 'r', '\t': 't' }[character]
    return `\\${letter ?? character}`
  })
  return `"${escaped}"`
}

/** The lines between `(` and the `)` in column 0. The line of the `(` counts only if something follows it. */
export function parseBody(image: string): string {
  const inner = image.slice(1, -2)
  const [first = '', ...rest] = inner.split('\n')
  return first.trim() === '' ? rest.join('\n') : inner
}

export function printBody(text: string): string {
  return `(\n${text}\n)`
}
