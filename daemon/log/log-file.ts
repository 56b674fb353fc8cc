import type { FileHandle } from 'node:fs/promises'

export type LogStream = 'staging' | 'stdout' | 'stderr'

export interface LogLine {
  /** From 1, without gaps. */
  readonly seq: number
  /** ISO 8601, UTC. */
  readonly time: string
  readonly stream: LogStream
  readonly text: string
}

/** A line as it is in the file. */
export interface StoredLine {
  readonly seq: number
  /** A `LogLine`. It has no line breaks. */
  readonly json: string
}

/** Consecutive lines of a log file. */
export interface LogPiece {
  /** At least one. */
  readonly lines: readonly StoredLine[]
  /** Where the last of the lines ends in the file, its newline included. */
  readonly end: number
}

const NEWLINE = 0x0a

/** How much is read at once. To look for lines in it must not delay other requests. */
export const PIECE_BYTES = 64 * 1024

/**
 * What `formatLine` writes, after NULs that a power failure may have left in its place. The order of the names is fixed,
 * so that a line is checked without parsing it. Quotes in a text are escaped, so that no line contains the start of
 * another one.
 */
const LINE =
  /\0*(\{"seq":([1-9]\d{0,14}),"time":"[^"\\\0-\x1f]*","stream":"(?:staging|stdout|stderr)","text":"[^"\\\0-\x1f]*(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})[^"\\\0-\x1f]*)*"\})\n/y

/** One line of a log file: JSON, and a newline that ends it. */
export function formatLine({ seq, time, stream, text }: LogLine): string {
  return `{"seq":${seq},"time":"${time}","stream":"${stream}","text":${JSON.stringify(text)}}\n`
}

export function parseLine({ json }: StoredLine): LogLine {
  return JSON.parse(json) as LogLine
}

/**
 * The complete lines of a log file that begin at the byte `offset` or after it.
 *
 * INVARIANTS
 * - What follows the last newline is not read: it is being written, or a crash has cut it off.
 * - What is damaged hides nothing else. A power failure may leave NULs in place of what was written, and after them the
 *   file goes on; a line that is damaged all the same is left out, and so is the rest of a line that begins before
 *   `offset`.
 * - Other work of the process gets its turn after each piece.
 */
export async function* readPieces(file: FileHandle, offset: number, bytes = PIECE_BYTES): AsyncGenerator<LogPiece> {
  let position = offset
  let rest: Buffer = Buffer.alloc(0)
  for (;;) {
    // As long as what is there of a long line: reading a line of any length takes a number of steps that is bounded.
    const chunk = Buffer.allocUnsafe(Math.max(bytes, rest.length))
    const { bytesRead } = await file.read(chunk, 0, chunk.length, position + rest.length)
    if (bytesRead === 0) return
    const read = Buffer.concat([rest, chunk.subarray(0, bytesRead)])
    const end = read.lastIndexOf(NEWLINE) + 1
    rest = read.subarray(end)
    if (end === 0) continue
    const piece = parsePiece(read.subarray(0, end))
    if (piece.lines.length > 0) yield { lines: piece.lines, end: position + piece.end }
    position += end
  }
}

/**
 * Lines, and where the last of them ends.
 *
 * @param bytes ends with a newline
 */
export function parsePiece(bytes: Buffer): LogPiece {
  const text = bytes.toString('utf8')
  const lines: StoredLine[] = []
  let damagedAtEnd = 0
  for (let at = 0; at < text.length;) {
    LINE.lastIndex = at
    const [all, json, seq] = LINE.exec(text) ?? []
    if (all !== undefined && json !== undefined) {
      lines.push({ seq: Number(seq), json })
      damagedAtEnd = 0
      at += all.length
    } else {
      damagedAtEnd += 1
      at = text.indexOf('\n', at) + 1
    }
  }
  // By newlines: damaged bytes that are not UTF-8 have other lengths in `text`.
  let end = bytes.length
  for (; damagedAtEnd > 0; damagedAtEnd -= 1) end = end < 2 ? 0 : bytes.lastIndexOf(NEWLINE, end - 2) + 1
  return { lines, end }
}
