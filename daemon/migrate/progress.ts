import bytes from 'bytes'
import type { SingleBar } from 'cli-progress'

/** Where a migration says what it does. */
export interface TextOutput {
  readonly isTTY?: boolean | undefined
  write(text: string): unknown
}

/** Without a terminal, a line is written whenever so much of all bytes has been copied. */
const STEP = 0.1

/** How much of the data has been copied: a bar on a terminal, lines otherwise. The owner calls `stop` in every case. */
export class Progress {
  #copied = 0
  #bytes = 0
  #said = 0
  #bar: SingleBar | undefined

  /** @param total in bytes */
  private constructor(
    private readonly output: TextOutput,
    private readonly count: number,
    private readonly total: number,
  ) {}

  static async start(output: TextOutput, count: number, total: number): Promise<Progress> {
    const progress = new Progress(output, count, total)
    if (output.isTTY === true && count > 0) await progress.#show()
    return progress
  }

  /** One more, of so many bytes. */
  copied(length: number): void {
    this.#copied += 1
    this.#bytes += length
    const text = `${this.#copied} of ${this.count} resources, ${formatBytes(this.#bytes)} of ${formatBytes(this.total)}`
    this.#bar?.update(this.#bytes, { text })
    if (this.#bar) return
    if (this.#copied < this.count && this.#bytes < this.#said + STEP * this.total) return
    this.#said = this.#bytes
    this.output.write(`${text}\n`)
  }

  stop(): void {
    this.#bar?.stop()
    this.#bar = undefined
  }

  async #show(): Promise<void> {
    // A migration that runs without a terminal does not load it.
    const { default: cliProgress } = await import('cli-progress')
    this.#bar = new cliProgress.SingleBar({
      stream: this.output as NodeJS.WritableStream,
      format: '[{bar}] {percentage}% {text}, {eta_formatted} left',
      clearOnComplete: true,
      gracefulExit: false,
      hideCursor: null,
      barsize: 30,
    })
    this.#bar.start(this.total, 0, { text: `0 of ${this.count} resources` })
  }
}

/** Human-readable: `24.9 MB`. */
export function formatBytes(count: number): string {
  return bytes.format(count, { decimalPlaces: 1, unitSeparator: ' ' }) ?? `${count} B`
}
