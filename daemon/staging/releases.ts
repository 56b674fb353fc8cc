/**
 * How many removals may be under way when a launch begins, for each launch that may run at once. A removal takes about as long
 * as a launch that does nothing, so there are seldom more than one for each.
 */
const FOR_EACH = 2

/**
 * The removal of what launches had on the host. It goes on while the next launches begin.
 *
 * INVARIANT. No launch begins while `FOR_EACH` times as many are being removed as may run at once. An Engine that removes more
 * slowly than it creates, or not at all, would otherwise be given ever more: a launch that is not removed yet has a
 * container, a network of the pool, mounts and layers. So the host never has more than these and the launches that run. A
 * removal itself never waits for its turn: what has ended is to go.
 */
export class Releases {
  readonly #underWay = new Set<Promise<void>>()

  /** @param concurrency how many launches may run at once, at least 1; it may change */
  constructor(private readonly concurrency: () => number) {}

  /** How many are under way. */
  get count(): number {
    return this.#underWay.size
  }

  /** @param released never rejects */
  add(released: Promise<void>): void {
    const underWay = released.finally(() => this.#underWay.delete(underWay))
    this.#underWay.add(underWay)
  }

  /** Resolves when a launch may begin. */
  async room(): Promise<void> {
    while (this.#underWay.size >= FOR_EACH * this.concurrency()) await Promise.race(this.#underWay)
  }

  /** Resolves when those have ended that are under way now. */
  async current(): Promise<void> {
    await Promise.all(this.#underWay)
  }
}
