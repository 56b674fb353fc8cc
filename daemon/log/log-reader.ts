import { open } from 'node:fs/promises'
import { errnoOf } from '../../base/errors.js'
import { findOffsetAfter } from './find-line.js'
import { readPieces, type LogPiece, type StoredLine } from './log-file.js'

export interface LogSource {
  readonly file: string
  /** Whether the file holds every line that the log will ever have. */
  isComplete(): Promise<boolean>
  /** Calls `listener` whenever lines have been written or `isComplete` may have changed; returns the unsubscription. */
  onChange(listener: () => void): () => void
}

export interface ReadOptions {
  /** Sequence number of the last line that the caller knows; 0 for none. */
  readonly since: number
  /** Whether to wait for lines that have not been written yet. */
  readonly follow: boolean
  readonly signal: AbortSignal
}

/**
 * The lines of one log after `since`, in pieces of at least one line.
 *
 * INVARIANTS
 * - Each line appears once, in order, and only when it is in the file.
 * - What comes before `since` is not read, apart from a bounded part of the file.
 * - Without `follow`, reading ends with the lines of the present moment. With it, reading ends when the log is complete
 *   and every line has been read.
 * - An abort ends reading without an error.
 */
export async function* readLog(source: LogSource, options: ReadOptions): AsyncGenerator<readonly StoredLine[]> {
  const { follow, signal } = options
  let { since } = options
  let offset: number | undefined
  for (;;) {
    // Subscribed before asking and asked before reading, so that neither a change nor the last lines are missed.
    const change = nextChange(source, signal)
    try {
      const isLastPass = !follow || (await source.isComplete())
      for await (const { lines, end } of piecesOf(source.file, offset, since)) {
        if (signal.aborted) return
        offset = end
        const wanted = linesAfter(since, lines)
        since = wanted.at(-1)?.seq ?? since
        if (wanted.length > 0) yield wanted
      }
      if (isLastPass) return
      await change.happened
    } finally {
      change.unsubscribe()
    }
    if (signal.aborted) return
  }
}

/** From `offset`, or from where the lines after `since` are if it is undefined. None if there is no such file. */
async function* piecesOf(path: string, offset: number | undefined, since: number): AsyncGenerator<LogPiece> {
  const file = await open(path).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error
  })
  if (!file) return
  try {
    yield* readPieces(file, offset ?? (await findOffsetAfter(file, since)))
  } finally {
    await file.close()
  }
}

function linesAfter(since: number, lines: readonly StoredLine[]): readonly StoredLine[] {
  let last = since
  return lines.filter(({ seq }) => {
    if (seq <= last) return false
    last = seq
    return true
  })
}

/** The next change of the log, or the abort. */
function nextChange(source: LogSource, signal: AbortSignal): { happened: Promise<void>; unsubscribe: () => void } {
  let resolve!: () => void
  const happened = new Promise<void>((done) => (resolve = done))
  const removeListener = source.onChange(resolve)
  signal.addEventListener('abort', resolve)
  const unsubscribe = () => {
    removeListener()
    signal.removeEventListener('abort', resolve)
  }
  return { happened, unsubscribe }
}
