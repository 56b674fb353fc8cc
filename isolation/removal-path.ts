import { BadInput } from '../base/errors.js'
import { quote } from '../base/fqn.js'
import { normalisePath } from './archive/names.js'
import type { Removal } from './launch-plan.js'

/** A path in the notation of `Removal.path`, from bytes as latin1. */
export function encodeRemovalPath(path: string): string {
  return path.replace(/[^\x20-\x24\x26-\x7e]/g, percent)
}

/**
 * The bytes, as latin1, that a removal is about. Throws `BadInput` (`bad-removal`) for anything but a plain path below
 * the root.
 */
export function decodeRemovalPath(removal: Removal): string {
  const refuse = (cause?: unknown): never => {
    throw new BadInput(
      'bad-removal',
      `The removal of ${quote(removal.path)} is refused: give a path below the root, without a leading slash, "." or "..", odd bytes as %XX.`,
      { cause },
    )
  }
  if (/[^\x20-\x7e]|%(?![0-9A-Fa-f]{2})/.test(removal.path)) refuse()
  const path = removal.path.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  try {
    if (path === '' || normalisePath(path, 'Removal') !== path) refuse()
  } catch (error) {
    refuse(error)
  }
  return path
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}
