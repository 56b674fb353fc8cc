const MILLISECONDS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const

type Unit = keyof typeof MILLISECONDS

/** What people write for a unit. */
const UNITS: Readonly<Record<string, Unit>> = {
  ms: 'ms',
  s: 's', sec: 's', secs: 's', second: 's', seconds: 's',
  m: 'm', min: 'm', mins: 'm', minute: 'm', minutes: 'm',
  h: 'h', hour: 'h', hours: 'h',
  d: 'd', day: 'd', days: 'd',
  w: 'w', week: 'w', weeks: 'w',
} // prettier-ignore

const PART = /(\d{1,12}(?:\.\d{1,6})?)\s*([a-z]+)\s*/gy

/** A century: what is longer is a slip, and would not fit into the dates of JavaScript. */
const MAX_MILLISECONDS = 100 * 366 * MILLISECONDS.d

/** How durations are written, for messages that refuse one. */
export const DURATION_FORM = 'a number with a unit (ms, s, m, h, d or w), such as 90s, 10m or 1h30m'

/**
 * The milliseconds of `90s`, `10 min` or `1h30m`; a number needs its unit. Undefined for any other text, and for more
 * than a century.
 */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim().toLowerCase()
  let total = 0
  let end = 0
  for (const match of trimmed.matchAll(PART)) {
    const unit = Object.hasOwn(UNITS, match[2] ?? '') ? UNITS[match[2] ?? ''] : undefined
    if (!unit) return undefined
    total += Number(match[1]) * MILLISECONDS[unit]
    end = match.index + match[0].length
  }
  const isWhole = end > 0 && end === trimmed.length
  return isWhole && total <= MAX_MILLISECONDS ? Math.round(total) : undefined
}

/** The same in the other direction, to the second: `15m`, `1m30s`; less than a second is `0s`. */
export function formatDuration(milliseconds: number): string {
  let rest = Math.round(milliseconds / MILLISECONDS.s) * MILLISECONDS.s
  let text = ''
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const count = Math.floor(rest / MILLISECONDS[unit])
    rest -= count * MILLISECONDS[unit]
    if (count > 0) text += `${count}${unit}`
  }
  return text || '0s'
}
