import { quote } from '../../base/fqn.js'
import type { PackageMetadata } from '../packages/metadata.js'
import { assertEnvironmentKey, assertEnvironmentValue } from '../packages/validate.js'
import { StagerRefusal, unmarshalled } from './stager-answer.js'

/**
 * The body of `GET /meta`. Clients index it without a check, so empty lists are present too.
 *
 * Throws `StagerRefusal` 445 when the environment holds what a process cannot be given, or JSON cannot carry unaltered:
 * a value that is not text, is not Unicode or holds a NUL; a key that cannot name a variable. Changes and uploads of
 * such metadata are refused, but an older or hand-made package may still contain it.
 */
export function metadataDocument({ dependencies, provides, environment, templates }: PackageMetadata): string {
  for (const [key, value] of Object.entries<unknown>(environment)) assertMarshals(key, value)
  return JSON.stringify({ dependencies, provides, environment, templates })
}

function assertMarshals(key: string, value: unknown): void {
  try {
    assertEnvironmentKey(key)
    if (typeof value !== 'string') throw new TypeError(`The value of ${quote(key)} is not text.`)
    if (/\p{Surrogate}/u.test(value)) throw new TypeError(`The value of ${quote(key)} is not Unicode.`)
    assertEnvironmentValue(key, value)
  } catch (error) {
    throw new StagerRefusal(445, unmarshalled(error), { cause: error })
  }
}
