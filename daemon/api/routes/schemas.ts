import type { Readable } from 'node:stream'
import { Type, type TSchema } from 'typebox'
import { Problem } from '../../documents/problem.js'
import { PROBLEM_TYPE } from '../problems.js'

/** Schemas that several routes use. */

export const RefPath = Type.Object(
  { ref: Type.String({ minLength: 1, description: 'UUID, or URL-encoded full name' }) },
  { additionalProperties: false },
)

export const UuidPath = Type.Object({ uuid: Type.String({ minLength: 1 }) }, { additionalProperties: false })

export const NamespaceQuery = Type.Object(
  { namespace: Type.Optional(Type.String({ description: 'this namespace and all below it' })) },
  { additionalProperties: false },
)

/** Of a route whose answer is about one node; see `Home`. */
export const ofNode = {
  node: Type.Optional(
    Type.String({ minLength: 1, description: 'UUID or name of the node that is asked; default: the one that answers' }),
  ),
}

export const NodeQuery = Type.Object(ofNode, { additionalProperties: false })

export const NoQuery = Type.Object({}, { additionalProperties: false })

/** Every route reports errors as a problem document. */
const refusal = (description: string) => ({ description, content: { [PROBLEM_TYPE]: { schema: Problem } } })
export const REFUSALS = {
  '4xx': refusal('refused, with the reason'),
  '5xx': refusal('unavailable, or a fault of stagerd'),
}

/** A streamed response. The schema is only for OpenAPI; nothing checks the stream. */
export function streamed(description: string, contentType: string, schema: TSchema = Type.String()) {
  return { description, content: { [contentType]: { schema: Type.Unsafe<Readable>(schema) } } }
}

export const Nothing = Type.Null({ description: 'no content' })
