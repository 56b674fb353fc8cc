import { open, type FileHandle } from 'node:fs/promises'
import { formatLine, readLines, type LogStream } from './log-file.js'

/** The size of a log, in bytes, from which on output of the stager is dropped. */
export const MAX_LOG_BYTES = 64 * 1024 * 1024

export interface LogWriterEvents {
  /** Lines have been appended to the file. */
  readonly written: () => void
  readonly closed: () => void
}

/** Where a log file ends: after its last complete line. */
interface LogEnd {
  readonly seq: number
  readonly length: number
}

/**
 * Appends lines to the file of one log.
 *
 * INVARIANTS
 * - Sequence numbers grow by one with each line, also across a restart and across a failed write.
 * - `message` and `append` resolve when their lines are in the file. Lines that arrive during a write share the next one.
 * - The file holds complete lines only: a write that fails is cut off again, and its lines stay pending for the next one.
 * - Output of the stager is dropped once the log is full, and the log says so once. Messages are never dropped.
 */
export class LogWriter {
  readonly #handle: FileHandle
  readonly #events: LogWriterEvents
  #seq: number
  /** Of the file, up to the end of its last complete line. */
  #length: number
  /** Of the file and of the pending lines together. */
  #bytes: number
  #pending: string[] = []
  #flushing: Promise<void> | undefined

  constructor(handle: FileHandle, end: LogEnd, events: LogWriterEvents) {
    this.#handle = handle
    this.#events = events
    this.#seq = end.seq
    this.#length = end.length
    this.#bytes = end.length
  }

  /** Continues an existing file after its last complete line. The caller closes the writer. */
  static async open(file: string, events: LogWriterEvents): Promise<LogWriter> {
    const end = await findEnd(file)
    const handle = await open(file, 'a')
    await handle.truncate(end.length)
    return new LogWriter(handle, end, events)
  }

  /** Lines of stagerd itself. */
  async message(...texts: string[]): Promise<void> {
    this.#add('staging', texts)
    await this.#flush()
  }

  /** Lines of the stager. */
  async append(stream: 'stdout' | 'stderr', texts: readonly string[]): Promise<void> {
    if (this.#bytes > MAX_LOG_BYTES) return
    this.#add(stream, texts)
    if (this.#bytes > MAX_LOG_BYTES)
      this.#add('staging', [
        `The log is longer than ${MAX_LOG_BYTES / 1024 / 1024} MiB; further output of the stager is dropped.`,
      ])
    await this.#flush()
  }

  /** Resolves when what was appended survives a power failure. */
  async sync(): Promise<void> {
    await this.#flush()
    await this.#handle.datasync()
  }

  async close(): Promise<void> {
    try {
      await this.sync()
    } finally {
      await this.#handle.close()
      this.#events.closed()
    }
  }

  #add(stream: LogStream, texts: readonly string[]): void {
    const time = new Date().toISOString()
    for (const text of texts) {
      this.#seq += 1
      const line = formatLine({ seq: this.#seq, time, stream, text })
      this.#bytes += Buffer.byteLength(line)
      this.#pending.push(line)
    }
  }

  async #flush(): Promise<void> {
    while (this.#pending.length > 0 || this.#flushing) {
      this.#flushing ??= this.#writePending().finally(() => (this.#flushing = undefined))
      await this.#flushing
    }
  }

  async #writePending(): Promise<void> {
    const lines = this.#pending
    this.#pending = []
    const text = lines.join('')
    try {
      await this.#handle.appendFile(text)
    } catch (error) {
      // A full disk may have taken part of the text: half a line would hide everything that comes after it.
      this.#pending = [...lines, ...this.#pending]
      await this.#handle.truncate(this.#length)
      throw error
    }
    this.#length += Buffer.byteLength(text)
    this.#events.written()
  }
}

async function findEnd(file: string): Promise<LogEnd> {
  let seq = 0
  let length = 0
  for await (const { line, bytes } of readLines(file, 0)) {
    seq = line.seq
    length += bytes
  }
  return { seq, length }
}
