import type { Violation } from './describe-violation.js'

type Schema = Readonly<Record<string, unknown>>

/**
 * The first list or map of `value` that has more entries than its schema permits.
 *
 * It only counts, and looks at nothing in a list that is too long. A validator checks each entry before it counts them,
 * which would stop the daemon for a second for the largest body that it reads.
 */
export function countViolation(schema: object, value: unknown, path = ''): Violation | undefined {
  const { maxItems, maxProperties, items, properties } = schema as Schema
  if (Array.isArray(value)) {
    if (typeof maxItems === 'number' && value.length > maxItems) return violation('maxItems', maxItems, path)
    if (!isSchema(items)) return undefined
    return first(value, (item, index) => countViolation(items, item, `${path}/${index}`))
  }
  if (typeof value !== 'object' || value === null) return undefined
  if (typeof maxProperties === 'number' && hasMoreThan(maxProperties, value))
    return violation('maxProperties', maxProperties, path)
  if (!isSchema(properties)) return undefined
  return first(Object.entries(properties), ([name, property]) =>
    isSchema(property) && Object.hasOwn(value, name)
      ? countViolation(property, (value as Schema)[name], `${path}/${name}`)
      : undefined,
  )
}

function hasMoreThan(limit: number, value: object): boolean {
  let count = 0
  for (const key in value) if (Object.hasOwn(value, key) && ++count > limit) return true
  return false
}

function first<T>(list: readonly T[], find: (item: T, index: number) => Violation | undefined): Violation | undefined {
  for (const [index, item] of list.entries()) {
    const found = find(item, index)
    if (found) return found
  }
  return undefined
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function violation(keyword: 'maxItems' | 'maxProperties', limit: number, instancePath: string): Violation {
  return { keyword, schemaPath: '', instancePath, params: { limit }, message: '' }
}
