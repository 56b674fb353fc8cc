/**
 * Blobs that somebody at work needs though no row may name them yet, by holder: what a collection of garbage must leave
 * alone. In memory, because work that is interrupted begins anew.
 *
 * A holder lets go only when what it held is named by a committed row, or is no longer wanted.
 */
export class LiveBlobs {
  readonly #held = new Map<string, Set<string>>()

  hold(sha256: string, holder: string): void {
    const held = this.#held.get(holder)
    if (held) held.add(sha256)
    else this.#held.set(holder, new Set([sha256]))
  }

  /** Idempotent. */
  release(holder: string): void {
    this.#held.delete(holder)
  }

  get digests(): ReadonlySet<string> {
    return new Set([...this.#held.values()].flatMap((held) => [...held]))
  }
}
