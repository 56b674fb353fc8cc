/** Lets a number of calls work at once; others wait in the order in which they came. */
export class Turns {
  readonly #waiting: (() => void)[] = []
  #free: number

  constructor(atOnce: number) {
    this.#free = atOnce
  }

  /** @param work calls `done` once when it has ended */
  take(work: (done: () => void) => void): void {
    const begin = () => work(() => this.#end())
    if (this.#free === 0) {
      this.#waiting.push(begin)
      return
    }
    this.#free -= 1
    begin()
  }

  #end(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#free += 1
  }
}
