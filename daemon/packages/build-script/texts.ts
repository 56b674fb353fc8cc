import type { IToken } from 'chevrotain'
import { quote } from '../../../base/fqn.js'
import { SyntaxFault } from '../syntax/syntax-error.js'

const ESCAPES: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', '/': '/', n: '\n', r: '\r', t: '\t' }

/**
 * What a quoted text stands for. Between single quotes a backslash means itself.
 *
 * Throws `SyntaxFault` for an escape that means nothing.
 */
export function quotedText({ image, startLine = 1, startColumn = 1 }: IToken): string {
  const inner = image.slice(1, -1)
  if (image.startsWith("'")) return inner
  return inner.replace(/\\(.)/gu, (escape, character: string, offset: number) => {
    const meant = ESCAPES[character]
    if (meant === undefined)
      throw new SyntaxFault(
        { line: startLine, column: startColumn + 1 + offset },
        'one of \\" \\\\ \\/ \\n \\r \\t, or \\\\ for a backslash itself',
        quote(escape),
      )
    return meant
  })
}

/** The other way round; always with double quotes. */
export function writeQuoted(text: string): string {
  const escaped = text.replace(/["\\\n\r\t]/g, (character) => {
    const letter = { '\n': 'n', '\r': 'r', '\t': 't' }[character]
    return `\\${letter ?? character}`
  })
  return `"${escaped}"`
}

/** The lines between `(` and the `)` in column 0; the one that the `(` stands on counts only if something follows it. */
export function bodyText(image: string): string {
  const inner = image.slice(1, -2)
  const [first = '', ...rest] = inner.split('\n')
  return first.trim() === '' ? rest.join('\n') : inner
}

export function writeBody(text: string): string {
  return `(\n${text}\n)`
}
