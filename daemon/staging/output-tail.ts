/** The number of lines in which the traces of known reasons are looked for. */
const MAX_LINES = 200

/** The last lines of an output, whatever its length. */
export class OutputTail {
  readonly #lines: string[] = []

  get lines(): readonly string[] {
    return this.#lines
  }

  push(lines: readonly string[]): void {
    this.#lines.push(...lines.slice(-MAX_LINES))
    this.#lines.splice(0, this.#lines.length - MAX_LINES)
  }
}
