import { EventEmitter } from 'node:events'
import { appendFileSync, closeSync, existsSync, fdatasync, mkdirSync, openSync } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { makeDirectory } from '../../base/durable-directory.js'
import { isUuid } from '../../base/identifiers.js'
import { readDirectoryIfExists } from '../../base/read-directory.js'
import { Turns } from '../../base/turns.js'
import { storageError } from '../store/storage-errors.js'
import { formatLine, parseLine, type LogLine, type StoredLine } from './log-file.js'
import { readLog, type ReadOptions } from './log-reader.js'
import { LogWriter } from './log-writer.js'
import { openLog, type OpenLog } from './open-log.js'
import type { SharedLogs } from './shared-logs.js'

const datasync = promisify(fdatasync)

/** Whether a staging is in a terminal state. */
export type HasEnded = (staging: string) => Promise<boolean>

/** How often who follows a log that another node writes looks for lines, in milliseconds. */
const POLL_MS = 1_000
/** A log whose staging has ended, and that nobody ends: so often without new lines, and who follows it ends. */
const FRUITLESS_POLLS = 5
/** Of so many stagings it is known that their file is complete. */
const COMPLETE_KNOWN = 10_000

export interface LogStoreOptions {
  /** Where other nodes read the logs of this one, and this one theirs. */
  readonly shared?: SharedLogs | undefined
  /** Default: a second. */
  readonly pollMs?: number
}

/**
 * The logs of stagings, one file of newline-delimited JSON each.
 *
 * INVARIANTS
 * - A log has at most one writer at a time: who asks for the next one waits until the last one is closed. It has any number of
 *   readers.
 * - A log is complete when it has no writer, and its staging is in a terminal state.
 * - A reader learns of every written line and of the end of every writer.
 * - With shared logs, the file is what this node writes and reads while it has the writer, and once it has ended the log. All
 *   else is read from there.
 */
export class LogStore {
  readonly #directory: string
  readonly #hasEnded: HasEnded
  readonly #shared: SharedLogs | undefined
  readonly #pollMs: number
  /** Stagings whose file has all lines that their log will ever have. */
  readonly #complete = new Set<string>()
  readonly #writers = new Set<string>()
  readonly #turns = new Turns()
  /** Emits the UUID of a staging whose log has changed. */
  readonly #changes = new EventEmitter().setMaxListeners(0)

  constructor(directory: string, hasEnded: HasEnded, { shared, pollMs = POLL_MS }: LogStoreOptions = {}) {
    this.#directory = directory
    this.#hasEnded = hasEnded
    this.#shared = shared
    this.#pollMs = pollMs
  }

  /**
   * Continues the log if there is one. The caller closes the writer.
   *
   * @param writer its number, from 1: that of the first one. Nobody else ever gets the same one, and who comes later gets a higher one
   */
  async write(staging: string, writer = 1): Promise<LogWriter> {
    const changed = () => this.#changes.emit(staging)
    const giveBack = await this.#turns.take(staging)
    const closed = () => {
      this.#writers.delete(staging)
      giveBack()
      changed()
    }
    this.#complete.delete(staging)
    try {
      await makeDirectory(this.#directory)
      const upload = await this.#upload(staging, writer)
      const opened = await LogWriter.open(this.#file(staging), {
        written: (bytes) => {
          upload?.written(bytes)
          changed()
        },
        ...(upload && {
          share: () => upload.share(),
          finish: async () => {
            const hasEnded = await this.#hasEnded(staging).catch(() => false)
            // Whoever waits for the turn has lines, and completes the log.
            const isComplete = hasEnded && !this.#turns.isAwaited(staging)
            const isOurs = await upload.finish(isComplete)
            if (isComplete && isOurs) this.#isComplete(staging)
          },
        }),
        closed,
      })
      this.#writers.add(staging)
      if (upload) changed()
      return opened
    } catch (error) {
      // The staging may have ended all the same, so that its log is complete.
      closed()
      throw storageError(error, 'keep a log')
    }
  }

  async #upload(staging: string, writer: number) {
    if (!this.#shared) return undefined
    const file = this.#file(staging)
    return await this.#shared.begin(staging, file, { writer, isNew: writer === 1 && !existsSync(file) })
  }

  #isComplete(staging: string): void {
    this.#complete.add(staging)
    for (const oldest of this.#complete) {
      if (this.#complete.size <= COMPLETE_KNOWN) return
      this.#complete.delete(oldest)
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
        await Promise.all([datasync(file), this.#shared?.shareWhole(staging, this.#file(staging))])
        if (this.#shared) this.#isComplete(staging)
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
    if (this.#shared) return this.#readShared(this.#shared, staging, options)
    return this.#readFile(staging, options, async () => !this.isTaken(staging) && (await this.#hasEnded(staging)))
  }

  #readFile(staging: string, options: ReadOptions, isComplete: () => Promise<boolean>) {
    const file = this.#file(staging)
    return readLog({ file, isComplete, onChange: (listener) => this.#onChange(staging, listener) }, options)
  }

  #onChange(staging: string, listener: () => void): () => void {
    this.#changes.on(staging, listener)
    return () => this.#changes.off(staging, listener)
  }

  /** From the file as long as this node writes it, or has ended the log; otherwise what the nodes have shared. */
  async *#readShared(
    shared: SharedLogs,
    staging: string,
    { since: known, follow, signal }: ReadOptions,
  ): AsyncGenerator<readonly StoredLine[]> {
    let since = known
    let version: string | undefined
    let fruitless = 0
    const isAborted = () => signal.aborted
    while (!isAborted()) {
      // Asked before reading: who takes the turn from now on goes on with a log that had ended.
      const isTaken = this.isTaken(staging)
      const isComplete = !isTaken && this.#complete.has(staging)
      if (this.#isOpen(staging) || isComplete) {
        for await (const lines of this.#readFile(staging, { since, follow, signal }, () =>
          Promise.resolve(!this.#isOpen(staging)),
        )) {
          since = lines.at(-1)?.seq ?? since
          yield lines
        }
        if (!follow || isComplete) return
        version = undefined
      }
      const hasEnded = await this.#hasEnded(staging)
      const found = await shared.find(staging)
      fruitless = found.version === version ? fruitless + 1 : 0
      if (found.version !== version) {
        const lines = shared.read(found.segments, since)
        let next = await lines.next()
        try {
          for (; next.done !== true; next = await lines.next()) {
            if (isAborted()) return
            since = next.value.at(-1)?.seq ?? since
            yield next.value
          }
        } finally {
          await lines.return('open')
        }
        if (next.value === 'complete' && !(isTaken && follow)) return
        version = next.value === 'replaced' ? undefined : found.version
        if (version === undefined) {
          await this.#changeOrPoll(staging, signal)
          continue
        }
      }
      const isUnknown = found.segments.length === 0
      if (!follow || (hasEnded && !isTaken && (isUnknown || fruitless >= FRUITLESS_POLLS))) {
        // The node may have been alone when it wrote it, or the store out of reach until the node was started again.
        const isHere = isUnknown || (hasEnded && (await shared.isContinuedBy(found.segments, this.#file(staging))))
        if (isHere) yield* this.#readFile(staging, { since, follow: false, signal }, () => Promise.resolve(true))
        return
      }
      await this.#changeOrPoll(staging, signal)
    }
  }

  async #changeOrPoll(staging: string, signal: AbortSignal): Promise<void> {
    const over = new AbortController()
    const end = () => over.abort()
    const removeListener = this.#onChange(staging, end)
    signal.addEventListener('abort', end)
    try {
      if (signal.aborted || this.#isOpen(staging)) return
      await sleep(this.#pollMs, undefined, { signal: over.signal }).catch(() => undefined)
    } finally {
      removeListener()
      signal.removeEventListener('abort', end)
    }
  }

  /** Whether the log has a writer, or somebody waits to be the next one: until then, it must not be deleted. */
  isTaken(staging: string): boolean {
    return this.#turns.isTaken(staging)
  }

  /** Whether its writer has been opened. Before, the file may be that of an earlier one. */
  #isOpen(staging: string): boolean {
    return this.#writers.has(staging)
  }

  async list(): Promise<readonly { readonly staging: string; readonly length: number; readonly modifiedAt: Date }[]> {
    const found = new Map(await this.#shared?.list())
    for (const name of await readDirectoryIfExists(this.#directory)) {
      const staging = name.replace(/\.ndjson$/, '')
      if (!isUuid(staging)) continue
      const { size, mtime } = await stat(this.#file(staging))
      const length = Math.max(size, found.get(staging)?.length ?? 0)
      const modifiedAt = new Date(Math.max(mtime.getTime(), found.get(staging)?.modifiedAt.getTime() ?? 0))
      found.set(staging, { length, modifiedAt })
    }
    return [...found].map(([staging, one]) => ({ staging, ...one }))
  }

  /**
   * A log as it is now, and where its last complete line ends; undefined if there is none. It does not keep the log from getting a
   * writer. The caller closes the file.
   */
  async openFile(staging: string): Promise<OpenLog | undefined> {
    const file = this.#file(staging)
    if (!this.#shared || this.#isOpen(staging) || this.#complete.has(staging)) return await openLog(file)
    await makeDirectory(this.#directory)
    return await this.#shared.open(staging, file)
  }

  /**
   * Moves a file to the place of a log. When it resolves, other nodes have it too. Must not be called while the log has a writer.
   *
   * @param isComplete whether its staging has ended
   */
  async take(staging: string, file: string, isComplete: boolean): Promise<void> {
    await makeDirectory(this.#directory)
    await rename(file, this.#file(staging))
    this.#complete.delete(staging)
    if (!this.#shared) return
    const log = await openLog(this.#file(staging))
    if (!log) return
    try {
      await this.#shared.replace(staging, log, isComplete)
      if (isComplete) this.#isComplete(staging)
    } finally {
      await log.file.close()
    }
  }

  /** Must not be called while the log has a writer. Idempotent. */
  async delete(staging: string): Promise<void> {
    await rm(this.#file(staging), { force: true })
    this.#complete.delete(staging)
    await this.#shared?.delete(staging)
  }

  #file(staging: string): string {
    if (!isUuid(staging)) throw new TypeError(`not the UUID of a staging: ${staging}`)
    return path.join(this.#directory, `${staging}.ndjson`)
  }
}
