import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'

const HOST = String.raw`[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?`
const SEGMENT = String.raw`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`
const TAG = String.raw`[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`
const DIGEST = String.raw`sha256:[0-9a-f]{64}`
const NAMED = new RegExp(`^(?:${HOST}/)?${SEGMENT}(?:/${SEGMENT})*(?::${TAG})?(?:@${DIGEST})?$`)

/**
 * Throws `BadInput` (`bad-image`) unless `reference` is a valid Docker image reference. It becomes part of the URL path
 * of an Engine request.
 */
export function assertImageReference(reference: string): void {
  if (reference.length <= 512 && (NAMED.test(reference) || new RegExp(`^${DIGEST}$`).test(reference))) return
  throw new BadInput(
    'bad-image',
    `${quote(reference)} is not a valid image reference: write a name with a tag, such as debian:12, or with @ and a digest.`,
  )
}
