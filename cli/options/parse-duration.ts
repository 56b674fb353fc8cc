import { DURATION_FORM, parseDuration as durationOf } from '../../base/duration.js'
import { quote } from '../../base/fqn.js'
import { UsageError } from './usage-error.js'

/** Converts `10m` or `90s` to milliseconds; at least one. Throws `UsageError`. */
export function parseDuration(text: string): number {
  const duration = durationOf(text)
  if (duration === undefined || duration < 1)
    throw new UsageError(`${quote(text)} is not a duration: write ${DURATION_FORM}.`)
  return duration
}
