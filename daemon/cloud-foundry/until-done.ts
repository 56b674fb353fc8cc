import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { messageOf } from '../../base/errors.js'
import { orAborted } from '../../base/or-aborted.js'
import { isLeaseLost } from '../store/lease-lost.js'

export interface Attempts {
  readonly logger: Pick<Logger, 'warn'>
  /** Between two attempts. */
  readonly retryMs: number
}

/**
 * Tries until it succeeds. Throws the reason of `signal` when that is aborted, and `Conflict` (`lease-lost`): another node does it then.
 *
 * @param what for the log, after "cannot"
 */
export async function untilDone<T>(
  what: string,
  work: () => Promise<T>,
  signal: AbortSignal,
  { logger, retryMs }: Attempts,
): Promise<T> {
  for (let hasFailed = false; ;) {
    signal.throwIfAborted()
    try {
      return await orAborted(work(), signal)
    } catch (error) {
      signal.throwIfAborted()
      if (isLeaseLost(error)) throw error
      if (!hasFailed) logger.warn({ why: messageOf(error) }, `cannot ${what}; stagerd tries again`)
      hasFailed = true
    }
    await delay(retryMs, undefined, { signal })
  }
}
