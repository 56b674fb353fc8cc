import { randomBytes } from 'node:crypto'
import type { OutputStream } from '../isolation.js'

/** The first byte of a mark: no program prints it, so nearly no output waits for what may follow. */
const FIRST = 0x1e

/** The digits of an exit code. */
const CODE_LENGTH = 3

/** In the place of an exit code, for a program that still runs. */
const RUNS = 999

/**
 * The end of the output of a program whose container goes on. The init writes a mark to both outputs; what precedes it is
 * all that the program has written, and what follows comes from processes that it has left behind, and is discarded.
 *
 * The program does not know the mark. If it found it out, it could only make its own output end early.
 */
export class EndMarks {
  /** Hexadecimal, for the start of the init. */
  readonly mark = randomBytes(16).toString('hex')
  /** Resolves when all output has been passed on: with the exit code, or undefined if the program runs. */
  readonly passed: Promise<number | undefined>
  readonly #sequence = Buffer.concat([Buffer.from([FIRST]), Buffer.from(this.mark)])
  readonly #length = this.#sequence.length + CODE_LENGTH
  /** What may be the beginning of a mark. */
  readonly #held: Record<OutputStream, Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }
  readonly #over: Record<OutputStream, boolean> = { stdout: false, stderr: false }
  #resolve!: (exitCode: number | undefined) => void

  constructor() {
    this.passed = new Promise((resolve) => (this.#resolve = resolve))
  }

  /** Passes on what precedes the mark. */
  async filter(
    stream: OutputStream,
    chunk: Buffer,
    output: (stream: OutputStream, chunk: Buffer) => Promise<void>,
  ): Promise<void> {
    if (this.#over[stream]) return
    const all = Buffer.concat([this.#held[stream], chunk])
    const at = this.#beginningOfMark(all)
    this.#held[stream] = all.subarray(at)
    if (at > 0) await output(stream, all.subarray(0, at))
    if (all.length - at < this.#length) return
    this.#over[stream] = true
    const code = Number(all.subarray(at + this.#sequence.length, at + this.#length).toString())
    if (this.#over.stdout && this.#over.stderr) this.#resolve(code === RUNS ? undefined : code)
  }

  /** To be called at the end of the stream: no mark is coming. */
  async flush(output: (stream: OutputStream, chunk: Buffer) => Promise<void>): Promise<void> {
    for (const stream of ['stdout', 'stderr'] as const) {
      const rest = this.#held[stream]
      if (!this.#over[stream] && rest.length > 0) await output(stream, rest)
    }
  }

  /** All later output is discarded. */
  close(): void {
    this.#over.stdout = this.#over.stderr = true
  }

  /** The index of the mark, or of an incomplete one at the end; the length of `all` if there is none. */
  #beginningOfMark(all: Buffer): number {
    for (let at = all.indexOf(FIRST); at !== -1; at = all.indexOf(FIRST, at + 1)) {
      const found = all.subarray(at, at + this.#sequence.length)
      if (found.equals(this.#sequence.subarray(0, found.length))) return at
    }
    return all.length
  }
}
