import { CAPABILITY_TYPES, type Capability } from '../metadata.js'
import { DocumentSyntaxError, type TextPosition } from '../syntax/syntax-error.js'
import { assertCapability } from '../validate.js'
import { checkAt } from './check-at.js'
import type { Value } from './document.js'
import { blockOf, describe, stringOf, type Fields } from './fields.js'

/** A capability, and where its name is. */
export interface PlacedCapability {
  readonly capability: Capability
  readonly at: TextPosition
}

export function readCapabilities(fields: Fields, key: string): Capability[] {
  return fields.list(key).flatMap((item) => readCapability(item, key).map(({ capability }) => capability))
}

/**
 * An item is a block (`{ package: "ruby" }`), as in scripts, or a string (`"package.ruby"`), as in manifests. Throws
 * `DocumentSyntaxError`.
 */
export function readCapability(item: Value, key: string): PlacedCapability[] {
  if (item.kind === 'string') return [capabilityOf(item, item.text)]
  const { entries, at } = blockOf(item, key)
  if (entries.length === 0)
    throw new DocumentSyntaxError(at, `a type and a name, such as { os: "linux" }`, 'an empty block')
  return entries.map((entry) => {
    if (!(CAPABILITY_TYPES as readonly string[]).includes(entry.key))
      throw new DocumentSyntaxError(entry.at, `a type (${CAPABILITY_TYPES.join(', ')})`, JSON.stringify(entry.key))
    return capabilityOf(entry.value, `${entry.key}.${stringOf(entry.value, entry.key)}`)
  })
}

function capabilityOf(value: Value, text: string): PlacedCapability {
  const dot = text.indexOf('.')
  const type = CAPABILITY_TYPES.find((known) => known === text.slice(0, dot))
  if (dot < 0 || type === undefined)
    throw new DocumentSyntaxError(
      value.at,
      `a type (${CAPABILITY_TYPES.join(', ')}), a dot and a name`,
      describe(value),
    )
  const found = { type, name: text.slice(dot + 1) }
  checkAt(value, () => assertCapability(found))
  return { capability: found, at: value.at }
}
