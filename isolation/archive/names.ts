import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { pathFromRoot, plainPath } from '../path-rules.js'

/**
 * File names are bytes. In this folder they are `latin1` strings with one character per byte: they compare, sort and
 * join like bytes and need one byte of memory per character. `bytesOf` converts them back.
 */
export function bytesOf(name: string): Buffer {
  return Buffer.from(name, 'latin1')
}

/**
 * A name for a message: as text if it is UTF-8, else with non-ASCII bytes as \xNN; escaped and truncated by `quote`.
 */
export function show(name: string): string {
  const text = bytesOf(name).toString('utf8')
  const isText = !text.includes('\ufffd')
  const odd = isText ? /[\u0080-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g : /[\u0080-\u00ff]/g
  return quote(
    (isText ? text : name).replace(odd, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`),
  )
}

/**
 * The path of a member or of a hard link's target, by the rule of `pathFromRoot`. By the convention of the Stager API,
 * absolute paths start at the root of the package.
 *
 * Throws `BadInput` (`archive-refused`) for paths that could lead outside or that no package can hold.
 */
export function normalisePath(raw: string, what: string): string {
  return pathFromRoot(raw, (why) => {
    throw new BadInput('archive-refused', `${what} ${show(raw)} is refused: ${why}.`)
  })
}

/**
 * A name in the one form that stagers get, whoever packed the archive: from the root, without a leading slash, `.` or
 * `//`, so that `tar --strip-components=1 app` finds it. A directory keeps its slash at the end.
 */
export function canonicalName(raw: string, isDirectory: boolean): string {
  const path = plainPath(raw)
  return isDirectory && path !== '' && raw.endsWith('/') ? `${path}/` : path
}

/** The parent directory of `path`; the empty string is the root. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}
