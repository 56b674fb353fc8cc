import { createReadStream } from 'node:fs'
import { errnoOf } from '../../base/errors.js'

export type LogStream = 'staging' | 'stdout' | 'stderr'

export interface LogLine {
  /** From 1, without gaps. */
  readonly seq: number
  /** ISO 8601, UTC. */
  readonly time: string
  readonly stream: LogStream
  readonly text: string
}

const NEWLINE = 0x0a

/** One line of a log file: JSON, and a newline that ends it. */
export function formatLine(line: LogLine): string {
  return `${JSON.stringify(line)}\n`
}

/**
 * The complete lines of a log file from the byte `offset` on; none if there is no such file. `bytes` is the length of
 * the line in the file, its newline included, and that of what was left out before it.
 *
 * INVARIANTS
 * - What follows the last newline is not read: it is being written, or a crash has cut it off.
 * - What is damaged hides nothing else. A power failure may leave NULs in place of what was written, and after them the
 *   file goes on; a line that cannot be parsed all the same is left out.
 */
export async function* readLines(file: string, offset: number): AsyncGenerator<{ line: LogLine; bytes: number }> {
  // Not `node:readline`: from Node 24 on it also splits at U+2028 and U+2029, which JSON does not escape.
  const input = createReadStream(file, { start: offset, highWaterMark: 256 * 1024 })
  let rest: Buffer = Buffer.alloc(0)
  let bytes = 0
  try {
    for await (const chunk of input as AsyncIterable<Buffer>) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      for (let end = rest.indexOf(NEWLINE); end !== -1; end = rest.indexOf(NEWLINE)) {
        const line = parseLine(rest.toString('utf8', 0, end))
        bytes += end + 1
        rest = rest.subarray(end + 1)
        if (!line) continue
        yield { line, bytes }
        bytes = 0
      }
    }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  } finally {
    input.destroy()
  }
}

function parseLine(text: string): LogLine | undefined {
  try {
    const line = JSON.parse(text.replace(/^\0+/, '')) as LogLine | null
    return typeof line?.seq === 'number' ? line : undefined
  } catch {
    return undefined
  }
}
