import { parseDuration } from '../../base/duration.js'
import { quote } from '../../base/fqn.js'
import { UsageError } from './usage-error.js'

/** A date of ISO 8601, with or without a time. `Date` takes many other texts, each in its own way. */
const TIME = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?$/i

/** A moment: `2h` before now, or a time such as `2024-05-01T10:00`, without a zone in the local one. Throws `UsageError`. */
export function parseSince(text: string, _before?: unknown, now = Date.now()): Date {
  const duration = parseDuration(text)
  if (duration !== undefined) return new Date(now - duration)
  const isDate = /^\d{4}-\d\d-\d\d$/.test(text)
  const time = TIME.test(text) ? new Date(isDate ? `${text}T00:00` : text.replace(' ', 'T')) : undefined
  if (time === undefined || Number.isNaN(time.getTime()))
    throw new UsageError(
      `${quote(text)} is not a time: write a duration such as 2h, or a time such as 2024-05-01T10:00.`,
    )
  return time
}
