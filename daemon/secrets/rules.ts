import { BadInput, TooLarge } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { LARGEST_SECRET_BYTES, MOST_SECRETS, SHORTEST_SECRET_BYTES } from '../model/secret-limits.js'
import { withoutLineBreaksAtEnd } from './mask.js'

/** The name of a file in STAGER_SECRETS, so that it is neither hidden nor a path. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/

/** Throws `BadInput` (`bad-secret-name`). */
export function assertSecretName(name: string): void {
  if (!NAME.test(name))
    throw new BadInput(
      'bad-secret-name',
      `${quote(name)} is not a name of a secret: a name has 1 to 64 letters, digits, _, - or ., and begins with a letter, a digit or _.`,
    )
}

/** Names that a stager takes. Throws `BadInput` (`bad-secret-name`, `too-many-secrets`). */
export function assertSecretNames(names: readonly string[]): void {
  names.forEach(assertSecretName)
  assertCount(names.length)
}

/** Throws `BadInput` (`bad-secret-name`, `too-many-secrets`, `secret-too-short`) and `TooLarge` (`secret-too-large`). */
export function assertSecrets(secrets: ReadonlyMap<string, Uint8Array>): void {
  assertSecretNames([...secrets.keys()])
  for (const [name, value] of secrets) {
    if (value.length > LARGEST_SECRET_BYTES)
      throw new TooLarge(
        'secret-too-large',
        `The secret ${quote(name)} has ${value.length} bytes: a secret has at most ${LARGEST_SECRET_BYTES}.`,
      )
    if (withoutLineBreaksAtEnd(value).length < SHORTEST_SECRET_BYTES)
      throw new BadInput(
        'secret-too-short',
        `The secret ${quote(name)} is too short to be hidden in a log: a secret has at least ${SHORTEST_SECRET_BYTES} bytes without the line breaks at its end.`,
      )
  }
}

function assertCount(count: number): void {
  if (count > MOST_SECRETS)
    throw new BadInput(
      'too-many-secrets',
      `${count} secrets are too many: a staging or a stager has at most ${MOST_SECRETS}.`,
    )
}
