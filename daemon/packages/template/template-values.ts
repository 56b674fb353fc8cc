/** A value of a template: a map lacks nothing, an object has certain fields. */
export type TemplateValue =
  string | number | boolean | readonly TemplateValue[] | ReadonlyMap<string, TemplateValue> | TemplateObject
export interface TemplateObject {
  readonly [field: string]: TemplateValue
}

/** What templates can ask for. A run is a job with one instance, without routes and bindings. */
export interface TemplateData {
  readonly uuid: string
  readonly name: string
  readonly num_instances: number
  /** Milliseconds of a CPU in each second. */
  readonly cpu: number
  /** Bytes. */
  readonly memory: number
  /** Bytes. */
  readonly disk: number
  readonly port: number
  readonly env: Readonly<Record<string, string>>
  readonly tags: readonly { readonly Name: string; readonly Value: string }[]
}

export function isList(value: TemplateValue): value is readonly TemplateValue[] {
  return Array.isArray(value)
}

/** As in Go: false, 0, and whatever is empty are false. */
export function isTrue(value: TemplateValue): boolean {
  if (isList(value)) return value.length > 0
  if (value instanceof Map) return value.size > 0
  return typeof value === 'object' || Boolean(value)
}

export function describeValue(value: TemplateValue): string {
  if (isList(value)) return 'a list'
  if (value instanceof Map) return 'a map'
  if (typeof value === 'object') {
    const fields = Object.keys(value)
    return fields.length === 0 ? 'nothing' : `an object with the fields ${fields.join(', ')}`
  }
  return `the ${typeof value} ${JSON.stringify(value)}`
}
