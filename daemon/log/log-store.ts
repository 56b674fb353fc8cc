import { EventEmitter } from 'node:events'
import { appendFileSync, closeSync, fdatasync, mkdirSync, openSync } from 'node:fs'
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { makeDirectory } from '../../base/durable-directory.js'
import { errnoOf } from '../../base/errors.js'
import { isUuid } from '../../base/identifiers.js'
import { readDirectoryIfExists } from '../../base/read-directory.js'
import { storageError } from '../store/storage-errors.js'
import { findLastLine } from './find-line.js'
import { formatLine, parseLine, type LogLine, type StoredLine } from './log-file.js'
import { readLog, type ReadOptions } from './log-reader.js'
import { LogWriter } from './log-writer.js'

const datasync = promisify(fdatasync)

/** Whether a staging is in a terminal state. */
export type HasEnded = (staging: string) => Promise<boolean>

/**
 * The logs of stagings, one file of newline-delimited JSON each.
 *
 * INVARIANTS
 * - A log has at most one writer at a time: its callers see to that. It has any number of readers.
 * - A log is complete when it has no writer, and its staging is in a terminal state.
 * - A reader learns of every written line and of the end of every writer.
 */
export class LogStore {
  readonly #directory: string
  readonly #hasEnded: HasEnded
  readonly #writers = new Map<string, LogWriter>()
  /** Emits the UUID of a staging whose log has changed. */
  readonly #changes = new EventEmitter().setMaxListeners(0)

  constructor(directory: string, hasEnded: HasEnded) {
    this.#directory = directory
    this.#hasEnded = hasEnded
  }

  /** Continues the log if there is one. The caller closes the writer. */
  async write(staging: string): Promise<LogWriter> {
    const changed = () => this.#changes.emit(staging)
    const closed = () => {
      this.#writers.delete(staging)
      changed()
    }
    try {
      await makeDirectory(this.#directory)
      const writer = await LogWriter.open(this.#file(staging), { written: changed, closed })
      this.#writers.set(staging, writer)
      return writer
    } catch (error) {
      // The staging may have ended all the same, so that its log is complete.
      changed()
      throw storageError(error, 'keep a log')
    }
  }

  /**
   * A log that is complete: the file is written before this returns, and when the promise resolves, it survives a power
   * failure. So a transaction that ends the staging can be committed meanwhile.
   */
  async writeWhole(staging: string, texts: readonly string[]): Promise<void> {
    try {
      const time = new Date().toISOString()
      const lines = texts.map((text, index) => formatLine({ seq: index + 1, time, stream: 'staging', text }))
      mkdirSync(this.#directory, { recursive: true })
      const file = openSync(this.#file(staging), 'wx')
      try {
        appendFileSync(file, lines.join(''))
        await datasync(file)
      } finally {
        closeSync(file)
      }
    } catch (error) {
      throw storageError(error, 'keep a log')
    }
  }

  /** The lines of a log one by one, as `readLog` reads them; none if there is no log. */
  async *follow(staging: string, options: ReadOptions): AsyncGenerator<LogLine> {
    for await (const lines of this.read(staging, options)) for (const line of lines) yield parseLine(line)
  }

  /** The lines of a log in pieces, as they are stored: for readers that pass them on. */
  read(staging: string, options: ReadOptions): AsyncGenerator<readonly StoredLine[]> {
    return readLog(
      {
        file: this.#file(staging),
        isComplete: async () => !this.isOpen(staging) && (await this.#hasEnded(staging)),
        onChange: (listener) => {
          this.#changes.on(staging, listener)
          return () => this.#changes.off(staging, listener)
        },
      },
      options,
    )
  }

  /** Whether the log has a writer. */
  isOpen(staging: string): boolean {
    return this.#writers.has(staging)
  }

  async list(): Promise<readonly { readonly staging: string; readonly length: number; readonly modifiedAt: Date }[]> {
    const found = []
    for (const name of await readDirectoryIfExists(this.#directory)) {
      const staging = name.replace(/\.ndjson$/, '')
      if (!isUuid(staging)) continue
      const { size, mtime } = await stat(this.#file(staging))
      found.push({ staging, length: size, modifiedAt: mtime })
    }
    return found
  }

  /** The file of a log, and where its last complete line ends; undefined if there is none. The caller closes the file. */
  async openFile(staging: string): Promise<{ readonly file: FileHandle; readonly length: number } | undefined> {
    try {
      const file = await open(this.#file(staging), 'r')
      try {
        return { file, length: (await findLastLine(file)).end }
      } catch (error) {
        await file.close()
        throw error
      }
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  /** Moves a file to the place of a log. Must not be called while the log has a writer. */
  async take(staging: string, file: string): Promise<void> {
    await makeDirectory(this.#directory)
    await rename(file, this.#file(staging))
  }

  /** Must not be called while the log has a writer. Idempotent. */
  async delete(staging: string): Promise<void> {
    await rm(this.#file(staging), { force: true })
  }

  #file(staging: string): string {
    if (!isUuid(staging)) throw new TypeError(`not the UUID of a staging: ${staging}`)
    return path.join(this.#directory, `${staging}.ndjson`)
  }
}
