import { readLines, type LogLine } from './log-file.js'

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
 * The lines of one log after `since`.
 *
 * INVARIANTS
 * - Each line appears once, in order, and only when it is in the file.
 * - Without `follow`, reading ends with the lines of the present moment. With it, reading ends when the log is complete
 *   and every line has been read.
 * - An abort ends reading without an error.
 */
export async function* readLog(source: LogSource, options: ReadOptions): AsyncGenerator<LogLine> {
  const { follow, signal } = options
  let { since } = options
  let offset = 0
  for (;;) {
    // Subscribed before asking and asked before reading, so that neither a change nor the last lines are missed.
    const change = nextChange(source, signal)
    try {
      const isLastPass = !follow || (await source.isComplete())
      for await (const { line, bytes } of readLines(source.file, offset)) {
        if (signal.aborted) return
        offset += bytes
        if (line.seq <= since) continue
        since = line.seq
        yield line
      }
      if (isLastPass) return
      await change.happened
    } finally {
      change.unsubscribe()
    }
    if (signal.aborted) return
  }
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
