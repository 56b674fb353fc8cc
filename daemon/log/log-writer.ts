import { open, type FileHandle } from 'node:fs/promises'
import { storageError } from '../store/storage-errors.js'
import { findLastLine } from './find-line.js'
import { formatLine, type LogStream } from './log-file.js'

/** The size of a log, in bytes, from which on output of the stager is dropped. */
export const MAX_LOG_BYTES = 64 * 1024 * 1024

/**
 * The shortest time between two writes of output, in milliseconds. A stager may print each of its lines on its own, and a
 * write, with what it makes every follower do, costs the same for one line as for a thousand.
 */
const WRITE_INTERVAL_MS = 25
/** How much output may wait for its write, in bytes. */
const MAX_PENDING_BYTES = 256 * 1024

export interface LogWriterEvents {
  /** Lines of so many bytes have been appended to the file. */
  readonly written: (bytes: number) => void
  /** Copies the file to where other nodes read it; resolves when that is done, or cannot be done now. Does not reject. */
  readonly share?: () => Promise<void>
  /** The same for the last time: the file is closed. */
  readonly finish?: () => Promise<void>
  /** The last call, also where the file could not be closed. */
  readonly closed: () => void
}

/**
 * Appends lines to the file of one log.
 *
 * INVARIANTS
 * - Sequence numbers grow by one with each line, also across a restart and across a failed write.
 * - `message` resolves when its lines, and all before them, are in the file. `append` resolves at once, and its lines are
 *   in the file soon after; when too much waits, it resolves when that is in the file. Lines that wait share a write.
 * - An error of a write that nobody waits for is thrown by the next call, unless a later write has made up for it.
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
  #writeLater: NodeJS.Timeout | undefined
  #lastWrite = -Infinity
  /** The error of the last write, if nobody has been told. */
  #failure: { readonly error: unknown } | undefined

  /** @param last the last complete line of the file, and where it ends */
  constructor(handle: FileHandle, last: { readonly seq: number; readonly end: number }, events: LogWriterEvents) {
    this.#handle = handle
    this.#events = events
    this.#seq = last.seq
    this.#length = last.end
    this.#bytes = last.end
  }

  /** Continues an existing file after its last complete line. The caller closes the writer. */
  static async open(file: string, events: LogWriterEvents): Promise<LogWriter> {
    const handle = await open(file, 'a+')
    try {
      const last = await findLastLine(handle)
      await handle.truncate(last.end)
      return new LogWriter(handle, last, events)
    } catch (error) {
      await handle.close()
      throw error
    }
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
    this.#throwFailure()
    if (this.#bytes - this.#length > MAX_PENDING_BYTES) await this.#flush()
    else this.#flushLater()
  }

  /** Resolves when what was appended survives a power failure. */
  async sync(): Promise<void> {
    await this.#flush()
    await this.#handle.datasync().catch((error: unknown) => {
      throw storageError(error, 'keep a log')
    })
  }

  /** Resolves when other nodes can read what was appended, or cannot yet because they are out of reach. */
  async share(): Promise<void> {
    await this.#flush()
    await this.#events.share?.()
  }

  async close(): Promise<void> {
    try {
      await this.sync()
    } finally {
      clearTimeout(this.#writeLater)
      try {
        await this.#handle.close().finally(() => this.#events.finish?.())
      } finally {
        this.#events.closed()
      }
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

  #flushLater(): void {
    this.#writeLater ??= setTimeout(
      () => {
        this.#writeLater = undefined
        this.#flush().catch((error: unknown) => (this.#failure = { error }))
      },
      Math.max(0, this.#lastWrite + WRITE_INTERVAL_MS - performance.now()),
    )
  }

  #throwFailure(): void {
    if (!this.#failure) return
    const { error } = this.#failure
    this.#failure = undefined
    throw error
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
    this.#lastWrite = performance.now()
    try {
      await this.#handle.appendFile(text)
    } catch (error) {
      // A full disk may have taken part of the text: half a line would hide everything that comes after it.
      this.#pending = [...lines, ...this.#pending]
      await this.#handle.truncate(this.#length)
      throw storageError(error, 'keep a log')
    }
    const bytes = Buffer.byteLength(text)
    this.#length += bytes
    this.#failure = undefined
    this.#events.written(bytes)
  }
}
