import { setImmediate } from 'node:timers/promises'
import { LineSplitter } from './lines.js'
import type { LogWriter } from '../log/log-writer.js'
import type { Mask, MaskedStream } from '../secrets/mask.js'
import { OutputTail } from './output-tail.js'

/** The number of lines that are repeated in the explanation of a failure. */
const LAST_LINES = 10

/** A chunk may consist of empty lines only. What is made of so many lines at once must not delay other requests. */
const SLICE_BYTES = 2 * 1024
const LINES_PER_TURN = 2_000

/** Writes the output of a stager to the log, without its secrets, and keeps the last lines for the explanation of a failure. */
export class StagerOutput {
  readonly #log: Pick<LogWriter, 'append'>
  readonly #splitters = { stdout: new LineSplitter(), stderr: new LineSplitter() }
  readonly #masked: Readonly<Record<'stdout' | 'stderr', MaskedStream>> | undefined
  readonly #tail = new OutputTail()
  /** Since other work of the process got its turn. */
  #lines = 0

  constructor(log: Pick<LogWriter, 'append'>, mask?: Mask) {
    this.#log = log
    this.#masked = mask && { stdout: mask.stream(), stderr: mask.stream() }
  }

  /** The last lines, in which a reason may show. */
  get tail(): readonly string[] {
    return this.#tail.lines
  }

  /** Those of them that are repeated in the explanation of a failure. */
  get lastLines(): readonly string[] {
    return this.tail.slice(-LAST_LINES)
  }

  async push(stream: 'stdout' | 'stderr', chunk: Buffer): Promise<void> {
    await this.#split(stream, this.#masked?.[stream].push(chunk) ?? chunk)
  }

  async #split(stream: 'stdout' | 'stderr', chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; at += SLICE_BYTES)
      await this.#append(stream, this.#splitters[stream].push(chunk.subarray(at, at + SLICE_BYTES)))
  }

  async end(): Promise<void> {
    for (const stream of ['stdout', 'stderr'] as const) {
      if (this.#masked) await this.#split(stream, this.#masked[stream].end())
      await this.#append(stream, this.#splitters[stream].end())
    }
  }

  async #append(stream: 'stdout' | 'stderr', lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return
    this.#tail.push(lines)
    await this.#log.append(stream, lines)
    this.#lines += lines.length
    if (this.#lines < LINES_PER_TURN) return
    this.#lines = 0
    await setImmediate()
  }
}
