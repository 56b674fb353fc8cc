import { once } from 'node:events'
import type { Io, Terminal } from '../terminal/io.js'
import { printable } from './printable.js'
import { styleFor, type Style } from './style.js'

/**
 * Prints results to stdout and everything else to stderr. With `--json`, stdout carries exactly one document. Writes
 * wait for a slow reader, so that output does not accumulate in memory.
 */
export class Output {
  readonly style: Style
  readonly #errorStyle: Style

  constructor(
    readonly io: Io,
    readonly json: boolean,
  ) {
    this.style = styleFor(io.stdout, io.env)
    this.#errorStyle = styleFor(io.stderr, io.env)
  }

  /** Prints the result of a command: `document` with `--json`, the text of `human` without. */
  async result(document: unknown, human: () => string): Promise<void> {
    const text = this.json ? '' : human()
    if (this.json) await this.document(document)
    else if (text !== '') await write(this.io.stdout, `${text}\n`)
  }

  /** Prints a JSON document, with or without `--json`. */
  async document(document: unknown): Promise<void> {
    await write(this.io.stdout, `${JSON.stringify(document, undefined, 2)}\n`)
  }

  /** Prints a line of untrusted text, with control characters escaped on a terminal. Prints nothing with `--json`. */
  async untrustedLine(text: string): Promise<void> {
    if (!this.json) await write(this.io.stdout, `${this.io.stdout.isTTY === true ? printable(text) : text}\n`)
  }

  /** Writes bytes unchanged. */
  async bytes(chunk: Uint8Array, stream: 'stdout' | 'stderr'): Promise<void> {
    await write(this.io[stream], chunk)
  }

  /** Prints an informational message. */
  async note(text: string): Promise<void> {
    await write(this.io.stderr, `${this.#errorStyle('dim', text)}\n`)
  }

  async warning(text: string): Promise<void> {
    await write(this.io.stderr, `${this.#errorStyle('yellow', text)}\n`)
  }

  async success(text: string): Promise<void> {
    await write(this.io.stderr, `${this.#errorStyle('green', text)}\n`)
  }

  async error(text: string): Promise<void> {
    await write(this.io.stderr, `${this.errorPrefix()} ${text}\n`)
  }

  /** The prefix of error messages: the name of the program. */
  errorPrefix(): string {
    return this.#errorStyle(['red', 'bold'], 'stagectl:')
  }
}

async function write(stream: Terminal, chunk: string | Uint8Array): Promise<void> {
  if (!stream.write(chunk) && !stream.destroyed) await once(stream, 'drain')
}
