import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { faultOfName, LONGEST_PATH } from '../path-rules.js'

/**
 * File names are bytes. Inside this room they are `latin1` strings, one character a byte: they compare, sort and join as
 * bytes do, cost one byte each in memory, and become bytes again by `bytesOf`.
 */
export function bytesOf(name: string): Buffer {
  return Buffer.from(name, 'latin1')
}

/** A name for a message: as text where it is UTF-8, else with its odd bytes as \xNN; escaped and cut by `quote`. */
export function show(name: string): string {
  const text = bytesOf(name).toString('utf8')
  const isText = !text.includes('\ufffd')
  const odd = isText ? /[\u0080-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g : /[\u0080-\u00ff]/g
  return quote(
    (isText ? text : name).replace(odd, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`),
  )
}

/**
 * The path of a member or of a hard link's target, from the root: `/a//b/./c/` becomes `a/b/c`, and the root itself the
 * empty string. An absolute path is one from the root of the package, by the convention of the Stager API.
 *
 * Throws `BadInput` (`archive-refused`) for what must not be followed or cannot be kept.
 */
export function normalisePath(raw: string, what: string): string {
  const refuse = (why: string): never => {
    throw new BadInput('archive-refused', `${what} ${show(raw)} is refused: ${why}.`)
  }
  if (raw === '') refuse('its name is empty')
  const segments: string[] = []
  for (const segment of raw.split('/')) {
    if (segment === '' || segment === '.') continue
    const fault = faultOfName(segment)
    if (fault !== undefined) refuse(fault)
    segments.push(segment)
  }
  const path = segments.join('/')
  if (path.length > LONGEST_PATH) refuse(`a path has at most ${LONGEST_PATH} bytes`)
  return path
}

/** The directory that holds `path`; the empty string is the root. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}
