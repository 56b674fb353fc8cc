import { quote } from '../../../base/fqn.js'
import { DocumentSyntaxError, type TextPosition } from '../syntax/syntax-error.js'

/** A word of an action, between its delimiters. */
export interface Word {
  readonly kind: 'name' | 'variable' | 'field' | 'dot' | 'string' | 'number' | 'open' | 'close' | 'assign' | 'end'
  /** Without the `$` of a variable, the dot of a field and the quotes of a string. */
  readonly text: string
  readonly at: TextPosition
  /** Whether nothing stands between it and the word before it. */
  readonly touches: boolean
}

const WORD = new RegExp(
  [
    '(?<space>[ \\t\\r\\n]+)',
    '(?<name>[\\p{L}_][\\p{L}\\p{Nd}_]*)',
    '(?<variable>\\$[\\p{L}\\p{Nd}_]*)',
    '(?<field>\\.[\\p{L}_][\\p{L}\\p{Nd}_]*)',
    '(?<dot>\\.)',
    '(?<string>"(?:[^"\\\\\\n]|\\\\[^\\n])*"|`[^`]*`)',
    '(?<number>-?\\d{1,15}(?![\\p{L}\\p{Nd}_.]))',
    '(?<open>\\()',
    '(?<close>\\))',
    '(?<assign>:=)',
    '(?<comma>,)',
  ].join('|'),
  'uy',
)

/**
 * The words from `offset` on, up to `right`, which may stand in a string. The last word is of kind `end`.
 *
 * Throws `DocumentSyntaxError`.
 */
export function readWords(
  text: string,
  offset: number,
  right: string,
  positionOf: (offset: number) => TextPosition,
): { readonly words: readonly Word[]; readonly end: number; readonly trims: boolean } {
  const words: Word[] = []
  let touches = false
  for (let at = offset; ;) {
    const trims = /^[ \t\r\n]-$/.test(text.slice(at, at + 2)) && text.startsWith(right, at + 2)
    const end = trims ? at + 2 : at
    if (text.startsWith(right, end)) {
      words.push({ kind: 'end', text: right, at: positionOf(end), touches })
      return { words, end: end + right.length, trims }
    }
    WORD.lastIndex = at
    const groups: Readonly<Record<string, string | undefined>> = WORD.exec(text)?.groups ?? {}
    const [kind, word] = Object.entries(groups).find(([, found]) => found !== undefined) ?? []
    if (kind === undefined || word === undefined) {
      const expected = `a name, a field, a string, a number, or the ${right} that closes the action`
      throw new DocumentSyntaxError(
        positionOf(at),
        expected,
        at < text.length ? quote(firstOf(text, at)) : 'the end of the text',
      )
    }
    if (kind !== 'space' && kind !== 'comma')
      words.push({ kind: kind as Word['kind'], text: valueOf(kind, word, positionOf(at)), at: positionOf(at), touches })
    touches = kind !== 'space'
    at += word.length
  }
}

function firstOf(text: string, at: number): string {
  return String.fromCodePoint(text.codePointAt(at) ?? 0)
}

function valueOf(kind: string, word: string, at: TextPosition): string {
  if (kind === 'variable' || kind === 'field') return word.slice(1)
  if (kind !== 'string') return word
  if (word.startsWith('`')) return word.slice(1, -1)
  try {
    return JSON.parse(word.replace(/\t/g, '\\t')) as string
  } catch {
    throw new DocumentSyntaxError(at, 'a string with escapes such as \\n, \\" and \\u00e9', quote(word))
  }
}
