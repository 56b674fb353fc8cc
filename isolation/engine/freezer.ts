import { Conflict } from '../../base/errors.js'

/**
 * Sections of work during which a container stands still.
 *
 * INVARIANTS
 * - One section at a time; the container is frozen from the beginning to the end of each, and of none else.
 * - After `close` no section begins, so whoever awaited it may end the container: nobody reads its files any more.
 */
export class Freezer {
  #last: Promise<unknown> = Promise.resolve()
  #closed = false

  /**
   * @param freeze answers whether the container stands still by this call: false when it has ended, so need not be thawed
   */
  constructor(
    private readonly freeze: () => Promise<boolean>,
    private readonly thaw: () => Promise<void>,
  ) {}

  /** Throws `Conflict` (`container-ending`) after `close`. */
  whileFrozen<T>(work: () => Promise<T>): Promise<T> {
    const section = this.#last.then(async () => {
      if (this.#closed) throw new Conflict('container-ending', 'The container is being ended: it is too late for that.')
      const frozen = await this.freeze()
      try {
        return await work()
      } finally {
        if (frozen) await this.thaw()
      }
    })
    this.#last = section.catch(() => undefined)
    return section
  }

  /** No section begins any more; resolves when the present one is over. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#last
  }
}
