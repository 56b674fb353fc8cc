import { BadInput } from '../base/errors.js'
import { quote } from '../base/fqn.js'
import type { Removal } from './launch-plan.js'
import { faultOfName, LONGEST_PATH } from './path-rules.js'

/** A path in the notation of `Removal.path`, from bytes as latin1. */
export function encodeRemovalPath(path: string): string {
  return path.replace(/[^\x20-\x24\x26-\x7e]/g, percent)
}

/**
 * The bytes, as latin1, that a removal is about. Throws `BadInput` (`bad-removal`) for anything but a plain path below
 * the root.
 */
export function decodeRemovalPath({ path }: Removal): string {
  if (!/[^\x20-\x7e]|%(?![0-9A-Fa-f]{2})/.test(path)) {
    const decoded = path.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    if (decoded.length <= LONGEST_PATH && decoded.split('/').every(isPlainName)) return decoded
  }
  throw new BadInput(
    'bad-removal',
    `The removal of ${quote(path)} is refused: give a path below the root, without a leading slash, "." or "..", odd bytes as %XX.`,
  )
}

function isPlainName(name: string): boolean {
  return name !== '' && name !== '.' && faultOfName(name) === undefined
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}
