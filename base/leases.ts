/**
 * The owner of leases: a launch, a run, a request, or one call. Its work holds things until `release`, also those that a
 * step of it gets hold of in other parts.
 */
export class Holder {
  readonly #undos: (() => void)[] = []
  #released = false

  /** Whether its work is over. */
  get released(): boolean {
    return this.#released
  }

  /** For `Leases`. */
  onRelease(undo: () => void): void {
    this.#undos.push(undo)
  }

  /** Everything that it has. Nothing can be held for it afterwards. Idempotent. */
  release(): void {
    this.#released = true
    for (const undo of this.#undos.splice(0)) undo()
  }
}

/** Keeps things that other processes may delete too. */
export interface Keeper {
  /** Somebody has begun to hold it. Does not throw. */
  held(thing: string): void
  /** Resolves when no other process will delete it soon, and rejects when it cannot be known that it is there. */
  confirm(thing: string): Promise<void>
}

/**
 * Things in use, by holder: nothing that a holder has may be deleted. In memory, because work that is interrupted begins
 * again from its start. Where other processes share the things, a keeper renews for them what is held here.
 */
export class Leases {
  readonly #held = new Map<Holder, Set<string>>()
  #searches = 0
  #keeper: Keeper | undefined

  /** For things that other processes share. To be called before anything is held. */
  keepBy(keeper: Keeper): void {
    this.#keeper = keeper
  }

  /**
   * To be called with what a holder has, before something durable refers to it. At once without a keeper; otherwise it throws
   * what the keeper does.
   */
  async confirm(thing: string): Promise<void> {
    await this.#keeper?.confirm(thing)
  }

  /** The same for everything that `holder` has. */
  async confirmAll(holder: Holder): Promise<void> {
    if (this.#keeper) for (const thing of this.#held.get(holder) ?? []) await this.#keeper.confirm(thing)
  }

  /** Without effect for a holder that has released: nobody would give the thing back. */
  hold(thing: string, holder: Holder): void {
    if (holder.released) return
    const held = this.#held.get(holder)
    if (held) held.add(thing)
    else {
      this.#held.set(holder, new Set([thing]))
      holder.onRelease(() => this.#held.delete(holder))
    }
    this.#keeper?.held(thing)
  }

  /** Gives one thing back before `holder` releases all. */
  drop(thing: string, holder: Holder): void {
    this.#held.get(holder)?.delete(thing)
  }

  /**
   * Finds things and holds them, in one step for those who delete: while `find` is under way, everything is in use. What
   * has been found could be deleted otherwise before it is held.
   *
   * @param find must be short
   */
  async holdFound<T>(holder: Holder, find: () => Promise<T>, thingsOf: (found: T) => Iterable<string>): Promise<T> {
    this.#searches += 1
    try {
      const found = await find()
      for (const thing of thingsOf(found)) this.hold(thing, holder)
      return found
    } finally {
      this.#searches -= 1
    }
  }

  /** Whether it must not be deleted at this moment. */
  has(thing: string): boolean {
    if (this.#searches > 0) return true
    for (const held of this.#held.values()) if (held.has(thing)) return true
    return false
  }

  /** What is held at this moment. */
  snapshot(): ReadonlySet<string> {
    return new Set([...this.#held.values()].flatMap((held) => [...held]))
  }
}
