import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'

const RFC_3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})$/

/**
 * A time of RFC 3339. Throws `BadInput` (`bad-time`).
 *
 * @param field the parameter of the query that has it
 */
export function parseTime(text: string, field: string): Date {
  const time = new Date(RFC_3339.test(text) ? text.replace(' ', 'T').toUpperCase() : NaN)
  if (Number.isNaN(time.getTime()))
    throw new BadInput(
      'bad-time',
      `${quote(field)} in the query is ${quote(text)}, but must be a time of RFC 3339 with its zone, such as 2026-01-31T12:00:00Z (a + is written %2B in a query).`,
    )
  return time
}
