import { describe, expect, it } from 'vitest'
import { formatDuration, parseDuration } from '../../base/duration.js'

describe('a duration', () => {
  it.each([
    ['250ms', 250],
    ['90s', 90_000],
    ['10 min', 600_000],
    ['1.5h', 5_400_000],
    ['1h30m', 5_400_000],
    ['2 days', 172_800_000],
    ['1W', 604_800_000],
    ['0s', 0],
  ])('%j is %i ms', (text, milliseconds) => expect(parseDuration(text)).toBe(milliseconds))

  it.each(['', '10', 'm', '-10m', 'ten minutes', '5 parsecs', '10m and more', '1h 30', '5 constructor', '200000w'])(
    '%j is none: a number needs a unit that is known',
    (text) => expect(parseDuration(text)).toBeUndefined(),
  )

  it.each([
    [900_000, '15m'],
    [90_000, '1m30s'],
    [93_784_000, '1d2h3m4s'],
    [300, '0s'],
  ])('of %i ms is written %j', (milliseconds, text) => expect(formatDuration(milliseconds)).toBe(text))
})
