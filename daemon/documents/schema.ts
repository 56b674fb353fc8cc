import { Type, type TLiteral, type TUnion } from 'typebox'
import { METADATA_LIMITS } from '../packages/metadata-change.js'

/**
 * The documents of the control API. Validation, OpenAPI and the client's types derive from one schema each. Fields are in
 * snake case. A `ref` in a path or a document is a UUID or an FQN.
 */

export const closed = { additionalProperties: false } as const

type Literals<Values extends readonly string[]> = { -readonly [Index in keyof Values]: TLiteral<Values[Index]> }

/**
 * One of `values`, a list that the daemon declares once.
 *
 * @param meanings what each of them means, for readers of the OpenAPI document
 */
export function oneOf<const Values extends readonly string[]>(
  values: Values,
  meanings?: Readonly<Record<Values[number], string>>,
): TUnion<Literals<Values>> {
  return Type.Union(
    values.map((value: Values[number]) => Type.Literal(value, meanings ? { description: meanings[value] } : {})),
  ) as unknown as TUnion<Literals<Values>>
}

/** Any name, because `assertEnvironmentKey` has the rule for names. A dot in a pattern would leave out line feeds. */
export const AnyName = Type.String({ pattern: String.raw`^[\s\S]*$` })

export const environment = (description: string) =>
  Type.Record(AnyName, Type.String(), { description, maxProperties: METADATA_LIMITS.environment })
