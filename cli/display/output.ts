import { once } from 'node:events'
import type { Io, Terminal } from '../terminal/io.js'
import { printable } from './printable.js'
import { styleFor, type Style } from './style.js'

/**
 * Where words go: results to stdout, everything else to stderr. With `--json`, stdout carries one document and nothing
 * besides. Writing waits for a slow reader, so that no output piles up in memory.
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

  /** The result of a command: `document` with `--json`, the lines of `human` without. */
  async result(document: unknown, human: () => string): Promise<void> {
    const text = this.json ? '' : human()
    if (this.json) await this.document(document)
    else if (text !== '') await write(this.io.stdout, `${text}\n`)
  }

  /** Prints a document whether `--json` was given or not. */
  async document(document: unknown): Promise<void> {
    await write(this.io.stdout, `${JSON.stringify(document, undefined, 2)}\n`)
  }

  /** One line of somebody else's making, as it is; on a terminal, made harmless. Nothing with `--json`. */
  async foreignLine(text: string): Promise<void> {
    if (!this.json) await write(this.io.stdout, `${this.io.stdout.isTTY === true ? printable(text) : text}\n`)
  }

  /** Bytes of a program, or of a file, as they are. */
  async bytes(chunk: Uint8Array, stream: 'stdout' | 'stderr'): Promise<void> {
    await write(this.io[stream], chunk)
  }

  /** A word for the person who watches. */
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

  /** Who speaks, at the start of an error. */
  errorPrefix(): string {
    return this.#errorStyle(['red', 'bold'], 'stagectl:')
  }
}

async function write(stream: Terminal, chunk: string | Uint8Array): Promise<void> {
  if (!stream.write(chunk) && !stream.destroyed) await once(stream, 'drain')
}
