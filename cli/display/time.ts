import ms from 'ms'

/** Time since then, short enough for a table: `5m ago`. */
export function ago(time: string, now = Date.now()): string {
  const elapsed = now - Date.parse(time)
  return elapsed < 1_000 ? 'now' : `${ms(elapsed)} ago`
}

/** Time until then: `in 5m`. */
export function ahead(time: string, now = Date.now()): string {
  const left = Date.parse(time) - now
  return left < 1_000 ? 'now' : `in ${ms(left)}`
}

/** `0.4 s`, `12.3 s`, `3 min 4 s`. */
export function elapsed(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1_000
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`
}

/**
 * Starts a clock that nobody can set. Returns the milliseconds since then. For the first use of `performance`, Node.js loads
 * modules for a millisecond.
 */
export function startClock(): () => number {
  const began = process.hrtime()
  return () => {
    const [seconds, nanoseconds] = process.hrtime(began)
    return seconds * 1000 + nanoseconds / 1e6
  }
}
