import { assertEnvironmentKey, assertEnvironmentValue } from '../validate.js'
import { checkAt } from './check-at.js'
import type { Entry } from './document.js'
import { assertUnique, blockOf, stringOf, type Fields } from './fields.js'

/** Calls `read`. Where mistakes are collected, it keeps a `DocumentSyntaxError` that `read` throws. */
export type Attempt = (read: () => void) => void

const atOnce: Attempt = (read) => read()

/**
 * `{ NAME: value … }`; empty without the key.
 *
 * @param attempt for each variable; by default, the first mistake is thrown
 */
export function readEnvironment(fields: Fields, key: string, attempt = atOnce): Record<string, string> {
  const value = fields.get(key)
  if (!value) return {}
  const found = new Map<string, Entry>()
  for (const entry of blockOf(value, key).entries)
    attempt(() => {
      assertUnique(entry, found.get(entry.key))
      const text = stringOf(entry.value, entry.key)
      checkAt(entry, () => assertEnvironmentKey(entry.key))
      checkAt(entry.value, () => assertEnvironmentValue(entry.key, text))
      found.set(entry.key, entry)
    })
  return Object.fromEntries([...found].map(([name, entry]) => [name, stringOf(entry.value, name)]))
}
