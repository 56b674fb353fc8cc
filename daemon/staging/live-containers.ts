/** UUIDs of the launches, runs and image reads of this process: a sweep must not remove what belongs to them. */
export class LiveContainers {
  readonly #ids = new Set<string>()
  readonly #waiting: (() => void)[] = []

  add(id: string): void {
    this.#ids.add(id)
  }

  delete(id: string): void {
    this.#ids.delete(id)
    if (this.#ids.size === 0) for (const resolve of this.#waiting.splice(0)) resolve()
  }

  get ids(): ReadonlySet<string> {
    return this.#ids
  }

  /** Resolves when there is none. */
  async none(): Promise<void> {
    if (this.#ids.size > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}
