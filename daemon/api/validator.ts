import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { Value } from 'typebox/value'
import { BadInput } from '../../base/errors.js'
import { countViolation } from '../documents/count-violation.js'
import { describeViolation, type Violation } from '../documents/describe-violation.js'

const PARTS: Readonly<Record<string, string>> = { body: 'body', querystring: 'query', params: 'path' }

/**
 * Checks requests against the schemas of their routes, and reports the error in one sentence. Unknown fields are refused:
 * otherwise a misspelt option would be ignored silently.
 *
 * Values in a query or a path are text and are converted to the type of the schema; values in a body are not.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart = 'body' }) => {
  const validator = Compile(schema)
  return (value: unknown) => {
    const given = httpPart === 'body' ? value : Value.Convert(schema, value)
    const excess = countViolation(schema, given)
    if (!excess && validator.Check(given)) return { value: given }
    const violations = excess ? [excess] : (validator.Errors(given) as readonly Violation[])
    return {
      error: new BadInput('bad-document', describeViolation(violations, schema, PARTS[httpPart] ?? httpPart)),
    }
  }
}
