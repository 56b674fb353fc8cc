/**
 * Things in use, by holder: nothing that a holder has may be deleted. In memory, because work that is interrupted begins
 * again from its start. A call that holds something while it goes on uses a symbol of its own as the holder.
 */
export class Leases {
  readonly #held = new Map<string | symbol, Set<string>>()

  hold(thing: string, holder: string | symbol): void {
    const held = this.#held.get(holder)
    if (held) held.add(thing)
    else this.#held.set(holder, new Set([thing]))
  }

  /** Everything that `holder` has. Idempotent. */
  release(holder: string | symbol): void {
    this.#held.delete(holder)
  }

  has(thing: string): boolean {
    for (const held of this.#held.values()) if (held.has(thing)) return true
    return false
  }

  /** What is held at this moment. */
  snapshot(): ReadonlySet<string> {
    return new Set([...this.#held.values()].flatMap((held) => [...held]))
  }
}
