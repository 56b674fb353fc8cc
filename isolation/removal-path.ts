import { BadInput } from '../base/errors.js'
import { quote } from '../base/fqn.js'
import type { Removal } from './launch-plan.js'
import { faultOfName, LONGEST_PATH } from './path-rules.js'

/** Encodes a path for `Removal.path`. Its bytes are given as latin1. */
export function encodeRemovalPath(path: string): string {
  return path.replace(/[^\x20-\x24\x26-\x7e]/g, percent)
}

/**
 * Decodes `Removal.path` to bytes as latin1. Throws `BadInput` (`bad-removal`) unless it is a normalized path below the
 * root.
 */
export function decodeRemovalPath({ path }: Removal): string {
  if (!/[^\x20-\x7e]|%(?![0-9A-Fa-f]{2})/.test(path)) {
    const decoded = path.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    if (decoded.length <= LONGEST_PATH && decoded.split('/').every(isPlainName)) return decoded
  }
  throw new BadInput(
    'bad-removal',
    `The removal of ${quote(path)} is rejected: give a path below the root, without a leading slash, "." or "..", other bytes than printable ASCII as %XX.`,
  )
}

function isPlainName(name: string): boolean {
  return name !== '' && name !== '.' && faultOfName(name) === undefined
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}
