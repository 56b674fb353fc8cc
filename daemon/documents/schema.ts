import { Type } from 'typebox'

/**
 * The documents of the control API: one schema each, from which validation, OpenAPI and the client's types come.
 * Fields are in snake case, as in the seeds. A `ref` in a path or a document is a UUID or a full name.
 */

export const closed = { additionalProperties: false } as const

export const environment = (description: string) => Type.Record(Type.String(), Type.String(), { description })
