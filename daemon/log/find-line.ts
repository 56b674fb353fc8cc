import type { FileHandle } from 'node:fs/promises'
import { PIECE_BYTES, readPieces } from './log-file.js'

/** Usually more than one line. */
const PROBE_BYTES = 4 * 1024

/**
 * An offset of a log file, from which every line after number `since` can be read and few others. Numbers grow along the
 * file, so it is found by bisection: what comes before it is not read.
 */
export async function findOffsetAfter(file: FileHandle, since: number): Promise<number> {
  if (since === 0) return 0
  // Every line that begins before `low` has at most the number `since`, every line that begins at `high` or after it a
  // higher one.
  let low = 0
  let high = (await file.stat()).size
  while (high - low > PIECE_BYTES) {
    const middle = Math.floor((low + high) / 2)
    const first = await firstLineFrom(file, middle)
    if (first !== undefined && first <= since) low = middle
    else high = middle
  }
  return low
}

/** The number of the first line that begins at `start` or after it; undefined if there is none. */
async function firstLineFrom(file: FileHandle, start: number): Promise<number | undefined> {
  for await (const { lines } of readPieces(file, start, PROBE_BYTES)) return lines[0]?.seq
  return undefined
}

/** Where the last line of a log file that is not damaged ends, and its number: from the end, without reading the rest. */
export async function findLastLine(file: FileHandle): Promise<{ readonly seq: number; readonly end: number }> {
  const { size } = await file.stat()
  for (let bytes = PIECE_BYTES; ; bytes *= 4) {
    const start = Math.max(0, size - bytes)
    let last = { seq: 0, end: 0 }
    for await (const { lines, end } of readPieces(file, start)) last = { seq: lines.at(-1)?.seq ?? 0, end }
    if (last.seq > 0 || start === 0) return last
  }
}
