const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** What limits deliveries. See `Delivery` for lanes. */
export interface DeliveryLimits {
  /** After the first attempt, the second and so on. There is no attempt after those that follow them. */
  readonly delaysMs: readonly number[]
  /** Of one attempt, its lookups included. */
  readonly attemptMs: number
  /** What a receiver may ask for in Retry-After. */
  readonly longestRetryAfterMs: number
  /** After which a delivery is dropped. */
  readonly ageMs: number
  /** How many may wait in one lane. */
  readonly waiting: number
  /** How many attempts one lane has at once. */
  readonly atOnce: number
  /** How many attempts all lanes of calls have at once. */
  readonly callsAtOnce: number
  /** Between the end of a staging and the first attempt: the hint of a failure is recorded shortly after the end. */
  readonly settleMs: number
}

/** Ten attempts within less than a day. */
export const DELIVERY_LIMITS: DeliveryLimits = {
  delaysMs: [
    ...[5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE],
    ...[HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR],
  ],
  attemptMs: 10 * SECOND,
  longestRetryAfterMs: HOUR,
  ageMs: 24 * HOUR,
  waiting: 1_000,
  atOnce: 2,
  callsAtOnce: 32,
  settleMs: SECOND,
}

/** By how much a delay may be longer, so that the deliveries of an outage do not all come back at once. */
const SPREAD = 0.2

/**
 * How long to wait after this many attempts; undefined if there is no other one.
 *
 * @param retryAfterMs what the receiver has asked for
 */
export function delayAfter(
  attempts: number,
  { delaysMs, longestRetryAfterMs }: Pick<DeliveryLimits, 'delaysMs' | 'longestRetryAfterMs'>,
  retryAfterMs = 0,
  random: () => number = Math.random,
): number | undefined {
  const delay = delaysMs[attempts - 1]
  if (delay === undefined) return undefined
  return Math.round(Math.max(delay * (1 + SPREAD * random()), Math.min(retryAfterMs, longestRetryAfterMs)))
}

/** The milliseconds that a Retry-After header asks for: a number of seconds or a date. Undefined for anything else. */
export function parseRetryAfter(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header) * SECOND
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime())
}
