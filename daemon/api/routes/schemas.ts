import { Type } from 'typebox'
import { Problem } from '../documents.js'

/** What the routes have in common. */

export const RefPath = Type.Object(
  { ref: Type.String({ minLength: 1, description: 'UUID, or URL-encoded full name' }) },
  { additionalProperties: false },
)

export const UuidPath = Type.Object({ uuid: Type.String({ minLength: 1 }) }, { additionalProperties: false })

export const NamespaceQuery = Type.Object(
  { namespace: Type.Optional(Type.String({ description: 'this namespace and all below it' })) },
  { additionalProperties: false },
)

export const NoQuery = Type.Object({}, { additionalProperties: false })

/** Every route may refuse, and says so in the same way. */
export const REFUSALS = { '4xx': Problem, '5xx': Problem }

export const Nothing = Type.Null({ description: 'no content' })
