/** UUIDs of the launches and runs of this process: a sweep must not remove what belongs to them. */
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
