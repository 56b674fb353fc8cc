import { BadInput } from '../base/errors.js'
import { quote } from '../base/fqn.js'
import type { Removal } from './launch-plan.js'
import { pathBelowRoot } from './path-rules.js'

/** Encodes a path for `Removal.path`. Its bytes are given as latin1. */
export function encodeRemovalPath(path: string): string {
  return path.replace(/[^\x20-\x24\x26-\x7e]/g, percent)
}

/** Decodes `Removal.path` to bytes as latin1, without slashes at its ends. Throws `BadInput` (`bad-removal`). */
export function decodeRemovalPath({ path }: Removal): string {
  const refuse = (why: string): never => {
    throw new BadInput('bad-removal', `The removal of ${quote(path)} is refused: ${why}.`)
  }
  if (/[^\x20-\x7e]|%(?![0-9A-Fa-f]{2})/.test(path)) refuse('write % and all bytes but printable ASCII as %XX')
  const bytes = path.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return pathBelowRoot(bytes, refuse)
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}
