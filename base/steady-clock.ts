/** The time of day, in milliseconds, by a clock that nobody can set: it goes on from the time at which the process began. */
export function steadyNow(): number {
  return performance.timeOrigin + performance.now()
}

/**
 * A time of day, in milliseconds, for the ages of what must not be removed too early. If the clock of the host is set forward, the
 * steady one is right for what was there before, and what comes after it looks young; if it is set back, what was there
 * before looks young. Nothing looks older than it is.
 */
export function cautiousNow(): number {
  return Math.min(Date.now(), steadyNow())
}
