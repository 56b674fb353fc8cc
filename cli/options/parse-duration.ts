import ms from 'ms'
import { quote } from '../../base/fqn.js'
import { UsageError } from './usage-error.js'

// `ms` reads a number without a unit as milliseconds, which is never intended here.
const DURATION = /^\d+(\.\d+)?\s*[a-z]+$/i

/** Converts `10m` or `90s` to milliseconds. Throws `UsageError`. */
export function parseDuration(text: string): number {
  const duration: number | undefined = DURATION.test(text) ? ms(text as ms.StringValue) : undefined
  if (duration === undefined || !Number.isFinite(duration) || duration < 1)
    throw new UsageError(`${quote(text)} is not a duration: write a number with a unit, such as 90s, 10m or 1h.`)
  return Math.round(duration)
}
