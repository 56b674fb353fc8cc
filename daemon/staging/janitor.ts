import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { Unavailable, messageOf } from '../../base/errors.js'
import { Mutex } from '../../base/mutex.js'
import { retryUntil } from '../../base/retry.js'
import type { Isolation } from '../../isolation/isolation.js'
import type { LiveContainers } from './live-containers.js'

export interface JanitorParts {
  readonly isolation: Pick<Isolation, 'ping' | 'sweep'>
  readonly live: LiveContainers
  readonly logger: Logger
  /** Between two looks at the host, in milliseconds: a minute unless said otherwise. */
  readonly everyMs?: number
  /**
   * For the last sweep, in milliseconds: ten seconds unless said otherwise. An Engine that hangs must not keep the daemon
   * from ending; what stays is swept at the next start.
   */
  readonly lastSweepMs?: number
}

/**
 * Keeps the host free of what no launch of this process owns.
 *
 * To sweep at the start is not enough. The Engine finishes what it has begun for a daemon that was killed meanwhile, or
 * that no longer waits for the answer, and then there is a container, or a network, that no sweep before could see; and
 * what was busy at one sweep is not at the next. Hence the host is looked at again and again, and once more in the end.
 */
export class Janitor {
  readonly #parts: JanitorParts
  readonly #closed = new AbortController()
  readonly #mutex = new Mutex()

  constructor(parts: JanitorParts) {
    this.#parts = parts
  }

  /** One sweep after the other. Rejects as `Isolation.ping` and `Isolation.sweep` do. */
  sweep(): Promise<void> {
    return this.#mutex.run(() => this.#sweep())
  }

  /** Waits for the Engine, and sweeps. Rejects only when `signal` aborts. */
  async sweepOnceEngineIsBack(signal: AbortSignal): Promise<void> {
    const { logger } = this.#parts
    await retryUntil(
      signal,
      () => this.sweep(),
      (error) => {
        if (!(error instanceof Unavailable)) logger.error({ err: error }, 'the sweep failed and is tried again')
        else logger.warn({ reason: messageOf(error) }, 'waiting for the Docker Engine')
      },
    )
  }

  /** Sweeps now and then until `signal` aborts. Never rejects. */
  async keepSweeping(signal: AbortSignal): Promise<void> {
    const { everyMs = 60_000 } = this.#parts
    for (;;) {
      await delay(everyMs, undefined, { signal, ref: false }).catch(() => undefined)
      if (signal.aborted) return
      await this.trySweep()
    }
  }

  /** Once all that was at work has ended. Nothing is swept after it has resolved. Never rejects. */
  async sweepForTheLastTime(): Promise<void> {
    const { lastSweepMs = 10_000 } = this.#parts
    const enough = new AbortController()
    const tooLong = delay(lastSweepMs, undefined, { signal: enough.signal }).catch(() => undefined)
    await Promise.race([this.trySweep(), tooLong])
    enough.abort()
    // From here on, what is there may be another process's.
    this.#closed.abort()
  }

  /** As `sweep`; a failure is logged, and left to the next. */
  async trySweep(): Promise<void> {
    const { logger } = this.#parts
    try {
      await this.sweep()
    } catch (error) {
      // Whoever needs the Engine says so.
      const level = error instanceof Unavailable ? 'debug' : 'error'
      logger[level]({ err: error }, 'the sweep failed; the next one tries again')
    }
  }

  async #sweep(): Promise<void> {
    const { isolation, live, logger } = this.#parts
    const { signal } = this.#closed
    await isolation.ping()
    signal.throwIfAborted()
    const { removed, failures } = await isolation.sweep(live.ids, signal)
    if (removed.length > 0) logger.info({ removed }, 'swept what earlier launches had left')
    for (const { what, error } of failures) logger.error({ err: error, what }, 'could not be swept')
  }
}
