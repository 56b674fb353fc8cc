import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { Unavailable, messageOf } from '../../base/errors.js'
import { Mutex } from '../../base/mutex.js'
import type { Isolation } from '../../isolation/isolation.js'
import type { LiveContainers } from './live-containers.js'
import { retryUntilStopped } from './retry-until-stopped.js'

export interface JanitorParts {
  readonly isolation: Pick<Isolation, 'ping' | 'sweep'>
  readonly live: LiveContainers
  readonly logger: Logger
  /** Removes what is kept for packages and stagers that were deleted. */
  readonly forgetDeleted?: () => Promise<void>
  /** The pause between two sweeps, in milliseconds. Default: one minute. */
  readonly everyMs?: number
  /**
   * The deadline of the last sweep, and of the wait before it, in milliseconds. Default: ten seconds. An Engine that hangs
   * must not keep the daemon from ending; what is left is swept at the next start.
   */
  readonly lastSweepMs?: number
}

/**
 * Removes from the host what no launch of this process owns.
 *
 * A sweep at the start is not enough. The Engine completes requests of a daemon that was killed, or that does not wait
 * for the answer: a container or a network appears after the sweep. And what was busy at one sweep is free at the next.
 * So the janitor sweeps periodically, and once more when the daemon ends.
 *
 * INVARIANTS
 * - One sweep at a time.
 * - Nothing is swept after `sweepForTheLastTime` has resolved: what is on the host then may belong to another process.
 */
export class Janitor {
  readonly #parts: JanitorParts
  readonly #closed = new AbortController()
  readonly #mutex = new Mutex()

  constructor(parts: JanitorParts) {
    this.#parts = parts
  }

  /** Throws what `Isolation.ping` and `Isolation.sweep` throw. */
  sweep(): Promise<void> {
    return this.#mutex.run(() => this.#sweep(this.#parts.live.ids))
  }

  /** Retries until a sweep succeeds. Rejects only when `signal` is aborted. */
  async sweepOnceEngineIsBack(signal: AbortSignal): Promise<void> {
    const { logger } = this.#parts
    const report = (error: unknown) => {
      if (error instanceof Unavailable) logger.warn({ reason: messageOf(error) }, 'waiting for the Docker Engine')
      else logger.error({ err: error }, 'the sweep failed and is retried')
    }
    await retryUntilStopped(() => this.sweep(), report, signal)
  }

  /** Sweeps periodically until `signal` is aborted. Never rejects. */
  async keepSweeping(signal: AbortSignal): Promise<void> {
    const { everyMs = 60_000 } = this.#parts
    for (;;) {
      await delay(everyMs, undefined, { signal, ref: false }).catch(() => undefined)
      if (signal.aborted) return
      await this.trySweep()
    }
  }

  /**
   * To be called when nothing begins any more, and what has begun was told to end. It waits for that, and then sweeps as
   * if nothing lived: a container of whoever has not ended by the deadline would outlive this process. Never rejects.
   */
  async sweepForTheLastTime(): Promise<void> {
    const { live, lastSweepMs = 10_000 } = this.#parts
    await within(lastSweepMs, live.none())
    await within(lastSweepMs, this.#trySweep(new Set()))
    this.#closed.abort()
  }

  /** A failure is logged and left to the next sweep. Never rejects. */
  trySweep(): Promise<void> {
    return this.#trySweep(this.#parts.live.ids)
  }

  async #trySweep(live: ReadonlySet<string>): Promise<void> {
    const { logger } = this.#parts
    try {
      await this.#mutex.run(() => this.#sweep(live))
    } catch (error) {
      // An Engine that is down is reported where it is needed.
      const level = error instanceof Unavailable ? 'debug' : 'error'
      logger[level]({ err: error }, 'the sweep failed; the next one retries')
    }
  }

  async #sweep(live: ReadonlySet<string>): Promise<void> {
    const { isolation, logger, forgetDeleted } = this.#parts
    const { signal } = this.#closed
    await isolation.ping()
    signal.throwIfAborted()
    const { removed, failures } = await isolation.sweep(live, signal)
    if (removed.length > 0) logger.info({ removed }, 'removed what earlier launches left behind')
    for (const { what, error } of failures) logger.error({ err: error, what }, 'could not be swept')
    await forgetDeleted?.()
  }
}

/** Waits for `work`, but not for longer than that. */
async function within(milliseconds: number, work: Promise<void>): Promise<void> {
  const done = new AbortController()
  const deadline = delay(milliseconds, undefined, { signal: done.signal }).catch(() => undefined)
  await Promise.race([work, deadline])
  done.abort()
}
