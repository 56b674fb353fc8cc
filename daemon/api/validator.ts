import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { Value } from 'typebox/value'
import { BadInput } from '../../base/errors.js'
import { describeViolation, type Violation } from '../documents/describe-violation.js'

const PARTS: Readonly<Record<string, string>> = { body: 'body', querystring: 'query', params: 'path' }

/**
 * Checks requests against the schemas of their routes, and says what is wrong in one sentence. Unknown fields are
 * refused, not dropped: a misspelt option would otherwise be silently ignored.
 *
 * A query and a path are text, so "12" is a number there where one is wanted; a body says what it means.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart = 'body' }) => {
  const validator = Compile(schema)
  return (value: unknown) => {
    const given = httpPart === 'body' ? value : Value.Convert(schema, value)
    if (validator.Check(given)) return { value: given }
    const violations = validator.Errors(given) as readonly Violation[]
    return {
      error: new BadInput('bad-document', describeViolation(violations, schema, PARTS[httpPart] ?? httpPart)),
    }
  }
}
