/** Uploads that are remembered at most; the oldest are forgotten first, and must be sent again. */
const MAX_UPLOADS = 10_000
const MAX_NAMESPACES = 100

/**
 * For which namespaces data was uploaded that no package has yet. A digest alone must not give a token the data of others:
 * it can use what a package that it sees has, and what was uploaded for a namespace that it sees.
 */
export class RecentUploads {
  readonly #namespaces = new Map<string, ReadonlySet<string>>()

  add(sha256: string, namespace: string): void {
    const known = this.#namespaces.get(sha256) ?? []
    this.#namespaces.delete(sha256)
    this.#namespaces.set(sha256, new Set([...known, namespace].slice(-MAX_NAMESPACES)))
    if (this.#namespaces.size > MAX_UPLOADS) this.#namespaces.delete(this.#namespaces.keys().next().value ?? sha256)
  }

  namespacesOf(sha256: string): readonly string[] {
    return [...(this.#namespaces.get(sha256) ?? [])]
  }
}
