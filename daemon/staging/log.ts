import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rm, stat, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { errnoOf } from '../../base/errors.js'
import { isUuid } from '../../base/identifiers.js'

export type LogStream = 'staging' | 'stdout' | 'stderr'

export interface LogLine {
  /** From 1, without gaps. */
  readonly seq: number
  /** ISO 8601, UTC. */
  readonly time: string
  readonly stream: LogStream
  readonly text: string
}

/** Beyond this a staging's log takes no more lines of the stager, and says so once. In bytes. */
export const MAX_LOG_BYTES = 64 * 1024 * 1024

/**
 * The logs of stagings: one file of newline-delimited JSON each, appended to by one writer, followed by any number of
 * readers from any line on.
 *
 * INVARIANTS
 * - A staging has at most one writer at a time; sequence numbers have no gaps, also across a restart.
 * - `append` resolves when the lines are in the file; readers see them after that, never before.
 * - `follow` ends when it has shown every line and there is neither a writer nor, by `isOver`, one to come.
 */
export class StagingLogs {
  readonly #directory: string
  readonly #isOver: (staging: string) => Promise<boolean>
  readonly #writers = new Map<string, LogWriter>()
  readonly #readers = new Map<string, Set<() => void>>()

  /** @param isOver whether a staging has reached a terminal state */
  constructor(directory: string, isOver: (staging: string) => Promise<boolean>) {
    this.#directory = directory
    this.#isOver = isOver
  }

  /** Continues where the file ends; a line that a crash has cut is taken away. The caller closes the writer. */
  async write(staging: string): Promise<LogWriter> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    const file = this.#file(staging)
    const { lastSeq, length } = await examine(file)
    const handle = await open(file, 'a')
    await handle.truncate(length)
    const writer = new LogWriter(
      handle,
      lastSeq,
      length,
      () => this.#wake(staging),
      () => this.#writers.delete(staging),
    )
    this.#writers.set(staging, writer)
    return writer
  }

  /** Lines after `since`, and, with `follow`, those to come. */
  async *follow(
    staging: string,
    options: { readonly since: number; readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<LogLine> {
    let { since } = options
    let offset = 0
    for (;;) {
      // Asked before reading: whatever was written before the end is then sure to be read.
      const over = !options.follow || (!this.#writers.has(staging) && (await this.#isOver(staging)))
      const news = this.#nextChange(staging, options.signal)
      try {
        for await (const { line, bytes } of readLines(this.#file(staging), offset)) {
          if (options.signal.aborted) return
          offset += bytes
          if (line.seq <= since) continue
          since = line.seq
          yield line
        }
        if (over) return
        await news.happened
      } finally {
        news.forget()
      }
      if (options.signal.aborted) return
    }
  }

  /** Whether somebody writes to it. */
  isOpen(staging: string): boolean {
    return this.#writers.has(staging)
  }

  async list(): Promise<readonly { readonly staging: string; readonly length: number; readonly modifiedAt: Date }[]> {
    const found = []
    for (const name of await readdirOrNothing(this.#directory)) {
      const staging = name.replace(/\.ndjson$/, '')
      if (!isUuid(staging)) continue
      const { size, mtime } = await stat(this.#file(staging))
      found.push({ staging, length: size, modifiedAt: mtime })
    }
    return found
  }

  /** Not while somebody writes to it. Idempotent. */
  async delete(staging: string): Promise<void> {
    await rm(this.#file(staging), { force: true })
  }

  #nextChange(staging: string, signal: AbortSignal): { happened: Promise<void>; forget: () => void } {
    const readers = this.#readers.get(staging) ?? new Set()
    this.#readers.set(staging, readers)
    let wake!: () => void
    const happened = new Promise<void>((resolve) => (wake = resolve))
    readers.add(wake)
    signal.addEventListener('abort', wake)
    const forget = () => {
      signal.removeEventListener('abort', wake)
      readers.delete(wake)
      if (readers.size === 0) this.#readers.delete(staging)
    }
    return { happened, forget }
  }

  #wake(staging: string): void {
    for (const wake of this.#readers.get(staging) ?? []) wake()
  }

  #file(staging: string): string {
    if (!isUuid(staging)) throw new TypeError(`not the UUID of a staging: ${staging}`)
    return path.join(this.#directory, `${staging}.ndjson`)
  }
}

/** Appends in order, many lines in one write when they come fast. */
export class LogWriter {
  readonly #handle: FileHandle
  readonly #written: () => void
  readonly #closed: () => void
  #seq: number
  /** Of the log, with the lines that are still to be written. */
  #bytes: number
  /** Of the file, as far as it is whole. */
  #length: number
  #pending: string[] = []
  #flushing: Promise<void> | undefined

  constructor(handle: FileHandle, lastSeq: number, bytes: number, written: () => void, closed: () => void) {
    this.#handle = handle
    this.#seq = lastSeq
    this.#bytes = bytes
    this.#length = bytes
    this.#written = written
    this.#closed = closed
  }

  /** Lines of our own: never dropped. */
  async message(...texts: string[]): Promise<void> {
    this.#add('staging', texts)
    await this.#flush()
  }

  /** Lines of the stager: dropped, with a word about it, once the log is full. */
  async append(stream: 'stdout' | 'stderr', texts: readonly string[]): Promise<void> {
    if (this.#bytes > MAX_LOG_BYTES) return
    this.#add(stream, texts)
    if (this.#bytes > MAX_LOG_BYTES)
      this.#add('staging', [
        `The log is longer than ${MAX_LOG_BYTES / 1024 / 1024} MiB; further output of the stager is dropped.`,
      ])
    await this.#flush()
  }

  /** What was appended survives a power cut. */
  async sync(): Promise<void> {
    await this.#flush()
    await this.#handle.datasync()
  }

  async close(): Promise<void> {
    try {
      await this.sync()
    } finally {
      await this.#handle.close()
      this.#closed()
      this.#written()
    }
  }

  #add(stream: LogStream, texts: readonly string[]): void {
    const time = new Date().toISOString()
    for (const text of texts) {
      this.#seq += 1
      const line = `${JSON.stringify({ seq: this.#seq, time, stream, text } satisfies LogLine)}\n`
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
      // A full disk takes a part: half a line in the midst of the file would hide all that comes after it.
      this.#pending = [...lines, ...this.#pending]
      await this.#handle.truncate(this.#length)
      throw error
    }
    this.#length += Buffer.byteLength(text)
    this.#written()
  }
}

/** Whole lines of the file as it is now, from byte `offset` on; none when there is no file yet. */
async function* readLines(file: string, offset: number): AsyncGenerator<{ line: LogLine; bytes: number }> {
  const input = createReadStream(file, { encoding: 'utf8', start: offset, highWaterMark: 256 * 1024 })
  try {
    for await (const text of createInterface({ input, crlfDelay: Infinity })) {
      const line = parseLine(text)
      // Only the last line can be broken, for lines are appended whole: cut by a crash, or still being written.
      if (!line) return
      yield { line, bytes: Buffer.byteLength(text) + 1 }
    }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  } finally {
    input.destroy()
  }
}

async function readdirOrNothing(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}

function parseLine(text: string): LogLine | undefined {
  try {
    return JSON.parse(text) as LogLine
  } catch {
    return undefined
  }
}

/** The last whole line's number, and where it ends. */
async function examine(file: string): Promise<{ lastSeq: number; length: number }> {
  let lastSeq = 0
  let length = 0
  for await (const { line, bytes } of readLines(file, 0)) {
    lastSeq = line.seq
    length += bytes
  }
  return { lastSeq, length }
}
