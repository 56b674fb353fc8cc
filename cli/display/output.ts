import type { OwnedIo } from '../terminal/io.js'
import type { OutputStream } from '../terminal/output-stream.js'
import { OutputLost } from './output-lost.js'
import { printableLine, printableText } from './printable.js'
import { styleFor, type Style } from './style.js'

/**
 * Prints results to stdout and everything else to stderr. With `--json`, stdout carries exactly one document. Writes
 * wait for a slow reader, so that output does not accumulate in memory.
 *
 * What a command is asked for, its result, must arrive: `result`, `document` and `bytes` throw `OutputLost` when stdout
 * cannot be written, unless `tolerateLoss` was called. Everything else is discarded then, because the work that it is
 * about goes on.
 */
export class Output {
  readonly style: Style
  readonly #errorStyle: Style
  #toleratesLoss = false
  #lossTaken = false

  constructor(
    readonly io: OwnedIo,
    readonly json: boolean,
  ) {
    this.style = styleFor(io.stdout, io.env)
    this.#errorStyle = styleFor(io.stderr, io.env)
  }

  /** Prints the result of a command: `document` with `--json`, the text of `human` without. */
  async result(document: unknown, human: () => string): Promise<void> {
    const text = this.json ? '' : human()
    if (this.json) await this.document(document)
    else if (text !== '') await this.text(text)
  }

  /** Prints text as a result. */
  async text(text: string): Promise<void> {
    await write(this.io.stdout, `${printableText(text)}\n`)
    this.assertWritten()
  }

  /** Prints a JSON document, with or without `--json`. */
  async document(document: unknown): Promise<void> {
    await write(this.io.stdout, `${JSON.stringify(document, undefined, 2).replace(UNESCAPED, escaped)}\n`)
    this.assertWritten()
  }

  /** Throws `OutputLost` when stdout cannot be written, unless the loss is tolerated. */
  assertWritten(): void {
    const { failure, closedByReader } = this.io.stdout
    if (failure && !this.#toleratesLoss) throw new OutputLost(failure, closedByReader)
  }

  /** From here on the exit code tells the outcome of the command, also when its output does not arrive. */
  tolerateLoss(): void {
    this.#toleratesLoss = true
  }

  /** Why stdout takes no more text; undefined while it does, and after the first call that has told it. */
  takeLoss(): OutputLost | undefined {
    const { failure, closedByReader } = this.io.stdout
    if (!failure || this.#lossTaken) return undefined
    this.#lossTaken = true
    return new OutputLost(failure, closedByReader)
  }

  /** Waits until everything that was written has been taken, or was lost. */
  async flush(): Promise<void> {
    await write(this.io.stdout, '')
    await write(this.io.stderr, '')
  }

  /**
   * Prints a line of untrusted text, with control characters escaped: a pipe can lead to a terminal too. Prints nothing with
   * `--json`.
   */
  async untrustedLine(text: string): Promise<void> {
    if (!this.json) await write(this.io.stdout, `${printableLine(text)}\n`)
  }

  /** Writes bytes unchanged. */
  async bytes(chunk: Uint8Array, stream: 'stdout' | 'stderr'): Promise<void> {
    await write(this.io[stream], chunk)
    if (stream === 'stdout') this.assertWritten()
  }

  /** Prints an informational message. */
  async note(text: string): Promise<void> {
    await write(this.io.stderr, `${this.#errorStyle('dim', printableText(text))}\n`)
  }

  async warning(text: string): Promise<void> {
    await write(this.io.stderr, `${this.#errorStyle('yellow', printableText(text))}\n`)
  }

  async success(text: string): Promise<void> {
    await write(this.io.stderr, `${this.#errorStyle('green', printableText(text))}\n`)
  }

  async error(text: string): Promise<void> {
    await write(this.io.stderr, `${this.#errorStyle(['red', 'bold'], 'stagectl:')} ${printableText(text)}\n`)
  }
}

/** Controls that JSON does not escape: some terminals take the second half of them for escape sequences. */
const UNESCAPED = /[\x7f-\x9f]/g

function escaped(control: string): string {
  return `\\u00${control.charCodeAt(0).toString(16)}`
}

function write(stream: OutputStream, chunk: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => stream.write(chunk, () => resolve()))
}
