import { quote } from '../../base/fqn.js'

/** An error of TypeBox, in the form that JSON Schema validators share. */
export interface Violation {
  readonly keyword: string
  /** Location in the schema, such as `#/properties/provides/items`. */
  readonly schemaPath: string
  /** Location in the document, such as `/provides/0`. */
  readonly instancePath: string
  readonly params: object
  readonly message: string
}

type Json = Readonly<Record<string, unknown>>

/**
 * One sentence that names the field and says what is allowed there.
 *
 * @param part the part of the request, such as "body"
 */
export function describeViolation(violations: readonly Violation[], schema: object, part: string): string {
  // The error of a union, or of additional properties, describes the errors below it better than they do.
  const first = violations.find(({ keyword, schemaPath }) => keyword !== 'boolean' && !/\/anyOf\/\d/.test(schemaPath))
  if (!first) return `The ${part} does not match the schema of this route: see /openapi.json.`
  const where = fieldName(first.instancePath)
  const subject = where === '' ? `The ${part}` : `${where} in the ${part}`
  const at = follow(schema, first.schemaPath)
  const params = first.params as Json
  switch (first.keyword) {
    case 'required':
      return `${subject} lacks ${listOf(params.requiredProperties)}, which ${isOne(params.requiredProperties) ? 'is' : 'are'} required.`
    case 'additionalProperties':
      return `${subject} has ${listOf(params.additionalProperties)}, which is unknown here; allowed: ${listOf(Object.keys(at.properties ?? {}))}.`
    case 'type':
      return `${subject} must be ${article(String(params.type))}.`
    case 'anyOf':
    case 'const':
      return `${subject} must be one of ${listOf(optionsOf(at))}.`
    case 'minItems':
      return `${subject} must have at least ${String(params.limit)} entries.`
    case 'maxItems':
    case 'maxProperties':
      return `${subject} must not have more than ${String(params.limit)} entries.`
    case 'minLength':
      return Number(params.limit) === 1 ? `${subject} is empty.` : `${subject} ${first.message}.`
    default:
      return `${subject} ${first.message}.`
  }
}

/** `/provides/0/type` as people write it: `"provides[0].type"`. */
function fieldName(pointer: string): string {
  const keys = pointer.split('/').slice(1)
  if (keys.length === 0) return ''
  return quote(
    keys
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
      .map((key, index) => (/^\d+$/.test(key) ? `[${key}]` : index === 0 ? key : `.${key}`))
      .join(''),
  )
}

function follow(schema: object, path: string): Json {
  let at: unknown = schema
  for (const key of path.split('/').slice(1)) {
    if (typeof at !== 'object' || at === null) return {}
    at = (at as Json)[key]
  }
  return typeof at === 'object' && at !== null ? (at as Json) : {}
}

function optionsOf(schema: Json): unknown[] {
  if (Array.isArray(schema.anyOf)) return (schema.anyOf as Json[]).map((option) => option.const ?? option.title)
  return [schema.const]
}

function listOf(names: unknown): string {
  if (!Array.isArray(names) || names.length === 0) return 'nothing'
  return names.map((name) => quote(String(name))).join(', ')
}

function isOne(names: unknown): boolean {
  return Array.isArray(names) && names.length === 1
}

function article(type: string): string {
  if (type === 'integer') return 'a whole number'
  if (type === 'boolean') return 'true or false'
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`
}
