import { CleanupStack, withCleanupFailures } from '../../base/cleanup-stack.js'
import { Conflict } from '../../base/errors.js'
import { Mutex } from '../../base/mutex.js'

/**
 * Sections of work during which a container stands still.
 *
 * INVARIANTS
 * - One section at a time; the container is frozen from the standstill of each to its end, and never else.
 * - What is wrong with the work is told before what is wrong with the thaw.
 * - After `close` no section begins, so whoever awaited it may end the container: nobody reads its files any more.
 */
export class Freezer {
  readonly #mutex = new Mutex()
  readonly #closed = new AbortController()

  /**
   * @param freeze answers whether the container stands still by this call: false when it has ended, so need not be thawed;
   *   its signal is aborted when there is no time left to wait for that
   */
  constructor(
    private readonly freeze: (hurry: AbortSignal) => Promise<boolean>,
    private readonly thaw: () => Promise<void>,
  ) {}

  /** Throws `Conflict` (`container-ending`) after `close`. */
  whileFrozen<T>(work: () => Promise<T>): Promise<T> {
    return this.fromFreezing((standstill) => standstill.then(work))
  }

  /**
   * The same for work that has something to make ready: it begins while the container is being frozen, and until
   * `standstill` resolves it leaves the container alone. Where that rejects, there is no section, and the work fails too.
   */
  fromFreezing<T>(work: (standstill: Promise<void>) => Promise<T>): Promise<T> {
    return this.#mutex.run(async () => {
      if (this.#closed.signal.aborted)
        throw new Conflict('container-ending', 'The container is being ended: it is too late for that.')
      const undo = new CleanupStack()
      const standstill = this.freeze(this.#closed.signal).then((byUs) => {
        if (byUs) undo.defer('thaw the container', () => this.thaw())
      })
      // It is awaited below, whatever the work makes of it.
      standstill.catch(() => undefined)
      let done: T
      try {
        done = await work(standstill)
        await standstill
      } catch (error) {
        // The work may have failed before there was anything to thaw, or for want of a standstill.
        const [frozen] = await Promise.allSettled([standstill])
        const failures = await undo.run()
        if (frozen.status === 'rejected' && frozen.reason !== error)
          failures.unshift({ what: 'freeze the container', error: frozen.reason })
        throw withCleanupFailures(error, failures)
      }
      const [failure] = await undo.run()
      if (failure) throw failure.error
      return done
    })
  }

  /** No section begins any more; resolves when the present one is over. */
  async close(): Promise<void> {
    this.#closed.abort()
    await this.#mutex.run(() => Promise.resolve())
  }
}
