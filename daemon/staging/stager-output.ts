import { LineSplitter } from './lines.js'
import type { LogWriter } from '../log/log-writer.js'
import { OutputTail } from './output-tail.js'

/** The number of lines that are repeated in the explanation of a failure. */
const LAST_LINES = 10

/** Writes the output of a stager to the log, and keeps the last lines for the explanation of a failure. */
export class StagerOutput {
  readonly #log: LogWriter
  readonly #splitters = { stdout: new LineSplitter(), stderr: new LineSplitter() }
  readonly #tail = new OutputTail()

  constructor(log: LogWriter) {
    this.#log = log
  }

  /** The last lines, in which a reason may show. */
  get tail(): readonly string[] {
    return this.#tail.lines
  }

  /** Those of them that are repeated in the explanation of a failure. */
  get lastLines(): readonly string[] {
    return this.tail.slice(-LAST_LINES)
  }

  push(stream: 'stdout' | 'stderr', chunk: Buffer): Promise<void> {
    return this.#append(stream, this.#splitters[stream].push(chunk))
  }

  async end(): Promise<void> {
    for (const stream of ['stdout', 'stderr'] as const) await this.#append(stream, this.#splitters[stream].end())
  }

  async #append(stream: 'stdout' | 'stderr', lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return
    this.#tail.push(lines)
    await this.#log.append(stream, lines)
  }
}
