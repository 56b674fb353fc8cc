/** Who holds what, in memory: what no launch holds may be discarded. A call in progress holds by a symbol of its own. */
export class Leases {
  readonly #held = new Map<string | symbol, Set<string>>()

  hold(thing: string, holder: string | symbol): void {
    const held = this.#held.get(holder)
    if (held) held.add(thing)
    else this.#held.set(holder, new Set([thing]))
  }

  /** Idempotent. */
  release(holder: string | symbol): void {
    this.#held.delete(holder)
  }

  has(thing: string): boolean {
    for (const held of this.#held.values()) if (held.has(thing)) return true
    return false
  }
}
