import { BadInput } from '../../../base/errors.js'
import { quote } from '../../../base/fqn.js'

/** In bytes: no name of a file is longer. The other is for the slash of a directory. */
const LONGEST = 255 + 1

/** As many as a person can keep in mind, and more than any of the standard pipelines has. */
export const MAX_SIGNS = 64

/**
 * Throws `BadInput` (`bad-sign`) unless `pattern` can match an entry at the top of a source: a name, in which `*` stands
 * for any characters, with a slash at its end for a directory.
 */
export function assertSignPattern(pattern: string): void {
  const refuse = (why: string) => {
    throw new BadInput('bad-sign', `${quote(pattern)} is not a sign, such as deno.json, *.tf or charts/: ${why}.`)
  }
  const name = pattern.replace(/\/$/, '')
  if (name === '') refuse('it has no name')
  if (/[\p{Control}\p{Surrogate}]/u.test(name)) refuse('it has a character that cannot be seen')
  if (name.trim() !== name) refuse('it begins or ends with a blank')
  if (name.includes('/')) refuse('only entries at the top of a source are signs; write a name without a directory')
  if (name === '.' || name === '..') refuse('every directory has it')
  if (/^\*+$/.test(name)) refuse('it matches every source; write a part of the name')
  if (/[?[\]{}\\]/.test(name)) refuse('only * stands for other characters; write the name, or a * in it')
  if (Buffer.byteLength(pattern) > LONGEST) refuse('no name of a file is as long')
}

/** Throws `BadInput` (`bad-sign`) for an invalid pattern and for too many. The result has each pattern once, in order. */
export function canonicalSigns(patterns: readonly string[]): readonly string[] {
  patterns.forEach(assertSignPattern)
  const distinct = [...new Set(patterns)]
  if (distinct.length > MAX_SIGNS)
    throw new BadInput(
      'bad-sign',
      `A pipeline has at most ${MAX_SIGNS} signs, not ${distinct.length}: use a * in them.`,
    )
  return distinct
}

/**
 * True for an entry that the pattern names. A directory has a slash at the end of its name. With a `*`, case does not
 * matter, because programs write `SHOP.WAR` too; a whole name is compared as it is.
 */
export function matchesSign(pattern: string, entry: string): boolean {
  if (pattern.endsWith('/') !== entry.endsWith('/')) return false
  if (!pattern.includes('*')) return pattern === entry
  return matchesParts(pattern.toLowerCase().split('*'), entry.toLowerCase())
}

/** Takes the first place of each part: with `*` alone, no later place can be needed. So it is linear, unlike `RegExp`. */
function matchesParts(parts: readonly string[], text: string): boolean {
  const [first = '', ...others] = parts
  const last = others.pop() ?? ''
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
  const end = text.length - last.length
  let at = first.length
  for (const part of others) {
    const found = text.indexOf(part, at)
    if (found < 0 || found + part.length > end) return false
    at = found + part.length
  }
  return true
}
