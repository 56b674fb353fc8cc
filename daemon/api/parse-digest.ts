import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { isSha256 } from '../../base/identifiers.js'

/** In lower case. Throws `BadInput` (`bad-digest`). */
export function parseDigest(text: string): string {
  const digest = text.toLowerCase()
  if (!isSha256(digest))
    throw new BadInput('bad-digest', `${quote(text)} is not a SHA-256: it must have 64 hexadecimal digits.`)
  return digest
}
