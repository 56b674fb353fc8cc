import { assertEnvironmentKey, assertEnvironmentValue } from '../validate.js'
import { checkAt } from './check-at.js'
import type { Entry } from './document.js'
import { assertUnique, blockOf, stringOf, type Fields } from './fields.js'

/** `{ NAME: value … }`; empty without the key. */
export function readEnvironment(fields: Fields, key: string): Record<string, string> {
  const value = fields.get(key)
  if (!value) return {}
  const found = new Map<string, Entry>()
  for (const entry of blockOf(value, key).entries) {
    assertUnique(entry, found.get(entry.key))
    const text = stringOf(entry.value, entry.key)
    checkAt(entry, () => assertEnvironmentKey(entry.key))
    checkAt(entry.value, () => assertEnvironmentValue(entry.key, text))
    found.set(entry.key, entry)
  }
  return Object.fromEntries([...found].map(([name, entry]) => [name, stringOf(entry.value, name)]))
}
