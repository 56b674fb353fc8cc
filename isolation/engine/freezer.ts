import { CleanupStack, withCleanupFailures } from '../../base/cleanup-stack.js'
import { Conflict, Fault } from '../../base/errors.js'
import { Mutex } from '../../base/mutex.js'
import type { FreezeHooks } from '../isolation.js'

/**
 * Freezes a container for pieces of work, one at a time.
 *
 * INVARIANTS
 * - The container is frozen only during a piece of work, and between `hold` and `endHold`.
 * - If both the work and the thaw fail, the error is that of the work, and carries the other one.
 * - After `close` has resolved nobody reads the files of the container, so it can be ended.
 */
export class Freezer {
  readonly #mutex = new Mutex()
  readonly #closed = new AbortController()
  #isHeld = false

  /**
   * @param freeze answers whether the container must be thawed: not if it has ended. Its signal is aborted when there is no
   *   time left to retry
   */
  constructor(
    private readonly freeze: (noRetry: AbortSignal) => Promise<boolean>,
    private readonly thaw: () => Promise<void>,
    private readonly hooks: FreezeHooks = {},
  ) {}

  /**
   * Throws `Conflict` (`container-ending`) after `close`. Where the container cannot be frozen, `work` is not called.
   *
   * @param took gets the milliseconds for which the container was frozen, also if this rejects
   */
  whileFrozen<T>(work: () => Promise<T>, took: (frozenMs: number) => void = () => undefined): Promise<T> {
    return this.#mutex.run(async () => {
      this.#assertOpen()
      if (this.#isHeld) return await work()
      this.hooks.onFreeze?.()
      const since = performance.now()
      try {
        return await this.#frozen(work)
      } finally {
        took(performance.now() - since)
        this.hooks.onThaw?.()
      }
    })
  }

  /** Freezes it until `endHold`. Idempotent. Throws as `whileFrozen`, and `Fault` (`container-gone`). */
  hold(): Promise<void> {
    return this.#mutex.run(async () => {
      this.#assertOpen()
      if (this.#isHeld) return
      this.hooks.onFreeze?.()
      try {
        if (!(await this.freeze(this.#closed.signal)))
          throw new Fault(
            'container-gone',
            'The container cannot be kept: it has ended, or somebody else has paused it.',
          )
        this.#isHeld = true
      } finally {
        if (!this.#isHeld) this.hooks.onThaw?.()
      }
    })
  }

  /** Idempotent. */
  endHold(): Promise<void> {
    return this.#mutex.run(async () => {
      this.#assertOpen()
      if (!this.#isHeld) return
      await this.thaw()
      this.#isHeld = false
      this.hooks.onThaw?.()
    })
  }

  /** Nobody freezes it during `work`, as for the start of a process, which the Engine refuses then. It must not be held. */
  whileThawed<T>(work: () => Promise<T>): Promise<T> {
    return this.#mutex.run(async () => {
      this.#assertOpen()
      return await work()
    })
  }

  #assertOpen(): void {
    if (this.#closed.signal.aborted)
      throw new Conflict('container-ending', 'The container is being ended: it is too late for that.')
  }

  async #frozen<T>(work: () => Promise<T>): Promise<T> {
    const undo = new CleanupStack()
    if (await this.freeze(this.#closed.signal)) undo.defer('thaw the container', () => this.thaw())
    let result: T
    try {
      result = await work()
    } catch (error) {
      throw withCleanupFailures(error, await undo.run())
    }
    const [failure] = await undo.run()
    if (failure) throw failure.error
    return result
  }

  /** No further work begins. Resolves when the present one has ended. */
  async close(): Promise<void> {
    this.#closed.abort()
    await this.#mutex.run(() => Promise.resolve())
  }
}
