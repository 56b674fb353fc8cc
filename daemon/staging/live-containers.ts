/** UUIDs of the launches and runs that are at work in this process: what a sweep must leave alone. */
export class LiveContainers {
  readonly #ids = new Set<string>()

  add(id: string): void {
    this.#ids.add(id)
  }

  delete(id: string): void {
    this.#ids.delete(id)
  }

  get ids(): ReadonlySet<string> {
    return this.#ids
  }
}
