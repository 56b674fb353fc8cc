/** Now, but later than `before`, so that each writing and touching of a blob shows in its time. Stores keep milliseconds. */
export function laterThan(before: Date | undefined): Date {
  const now = Date.now()
  const earliest = (before?.getTime() ?? 0) + 1
  // The clock of the host can have been ahead for a moment; its mistake must not be kept for more than that.
  return new Date(Math.max(now, Math.min(earliest, now + LONGEST_STEP_MS)))
}

/** By how much the time of a blob may be ahead of the clock, in milliseconds. */
const LONGEST_STEP_MS = 1_000
