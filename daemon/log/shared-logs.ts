import { existsSync } from 'node:fs'
import { rename, unlink, type FileHandle } from 'node:fs/promises'
import type { Logger } from 'pino'
import { errnoOf, Unavailable } from '../../base/errors.js'
import { removeScrap } from '../../base/remove-scrap.js'
import { newCopy } from './log-copies.js'
import { parsePiece, type StoredLine } from './log-file.js'
import { readLog } from './log-reader.js'
import {
  END,
  LOGS,
  logPrefix,
  parseSegment,
  partsBy,
  partsOf,
  segmentKey,
  wholeBy,
  type Segment,
} from './log-segments.js'
import { contentOf, openLog, type OpenLog } from './open-log.js'
import { LogUpload, type LogObjects, type UploadedLog } from './log-upload.js'

export interface SharedLog {
  /** Changes with its lines. */
  readonly version: string
  readonly segments: readonly Segment[]
}

export interface SharedLogsTimes {
  /** How long a staging waits at most for an object store that does not answer, in milliseconds. */
  readonly waitMs: number
  /**
   * For how long after a log was opened no other node can continue it, in milliseconds: a node that opens one holds its term, which
   * ends at least so much later.
   */
  readonly aloneMs: number
}

const NEWLINE = 0x0a
/** How often a log is looked at that another node replaces meanwhile, as it does once when it ends it. */
const LOOKS = 3
/** Nothing is known of leases: a log is looked at before it is ended. */
const TIMES: SharedLogsTimes = { waitMs: 10_000, aloneMs: 0 }
const END_BYTES = Buffer.from(END)

/**
 * The logs of all nodes, as objects of the store that they share (log-segments.ts).
 *
 * INVARIANTS
 * - A log that is continued goes on after the last line in the store. The file of a node that has written that line itself may
 *   have more, and is kept then; otherwise it is replaced by what is in the store.
 */
export class SharedLogs {
  readonly #stop = new AbortController()
  readonly #times: SharedLogsTimes

  constructor(
    private readonly objects: LogObjects,
    private readonly logger: Pick<Logger, 'warn'>,
    times: Partial<SharedLogsTimes> = {},
  ) {
    this.#times = { ...TIMES, ...times }
  }

  /** Nothing is tried again any more. */
  stop(): void {
    this.#stop.abort()
  }

  /**
   * To be called before the file is opened for writing.
   *
   * @param writer its number: see `partsBy`
   * @param isNew whether nobody has written lines before
   */
  async begin(
    staging: string,
    file: string,
    { writer, isNew }: { writer: number; isNew: boolean },
  ): Promise<LogUpload> {
    if (isNew) return this.#newUpload({ staging, file, writer, since: 0 })
    const { segments } = await this.find(staging)
    const since = await this.#prepare(segments, file)
    // From now on, what an earlier writer adds counts for nothing.
    await this.objects.put(segmentKey(staging, partsBy(writer), since + 1), Buffer.alloc(0))
    return this.#newUpload({ staging, file, writer, since })
  }

  /** Returns the number of the last line in the store. The file has that line and all before it then. */
  async #prepare(segments: readonly Segment[], file: string): Promise<number> {
    const last = await this.#lastLine(segments)
    if (!last) return 0
    if (!(await hasLine(file, last))) await this.#fetch(segments, file)
    return last.seq
  }

  async #lastLine(segments: readonly Segment[]): Promise<StoredLine | undefined> {
    // The last part has none if its writer has ended before it wrote.
    for (const { first } of partsOf(segments).toReversed()) {
      const lines = this.read(segments, first - 1)
      let last: StoredLine | undefined
      let next = await lines.next()
      for (; next.done !== true; next = await lines.next()) last = next.value.at(-1) ?? last
      if (next.value === 'replaced') throw logChanged()
      if (last) return last
    }
    return undefined
  }

  /** Whether the file goes on where the store ends: this node has written the last line there, and may have more. */
  async isContinuedBy(segments: readonly Segment[], file: string): Promise<boolean> {
    const last = await this.#lastLine(segments)
    return !last || (await hasLine(file, last))
  }

  /** The file must have no writer, and nobody else who is about to write it. */
  async #fetch(segments: readonly Segment[], file: string): Promise<void> {
    const copy = await newCopy(file)
    try {
      await this.#writeTo(copy.file, segments).finally(() => copy.file.close())
      await rename(copy.path, file)
    } catch (error) {
      await removeScrap(copy.path)
      throw error
    }
  }

  /**
   * What is in the store, or the file if it has all of that. Undefined if there is neither. The file stays as it is: whoever writes it, or
   * is about to, need not know of a reader. The caller closes what is returned.
   *
   * @param near where a file without a name is made for a copy; by default beside the file
   */
  async open(staging: string, file: string, near = file): Promise<OpenLog | undefined> {
    for (let left = LOOKS - 1; ; left -= 1)
      try {
        const { segments } = await this.find(staging)
        const isEnough = segments.length === 0 || (existsSync(file) && (await this.isContinuedBy(segments, file)))
        return await (isEnough ? openLog(file) : this.#copy(segments, near))
      } catch (error) {
        if (left === 0 || !isLogChanged(error)) throw error
      }
  }

  /** Undefined if there are no lines. */
  async #copy(segments: readonly Segment[], near: string): Promise<OpenLog | undefined> {
    const { file, path } = await newCopy(near)
    try {
      await unlink(path)
      const length = await this.#writeTo(file, segments)
      if (length > 0) return { file, length }
    } catch (error) {
      await file.close()
      throw error
    }
    await file.close()
    return undefined
  }

  /** Returns the length of all lines, in bytes. */
  async #writeTo(file: FileHandle, segments: readonly Segment[]): Promise<number> {
    const pieces = this.read(segments, 0)
    let length = 0
    try {
      let next = await pieces.next()
      for (; next.done !== true; next = await pieces.next()) {
        const text = next.value.map(({ json }) => `${json}\n`).join('')
        await file.appendFile(text)
        length += Buffer.byteLength(text)
      }
      if (next.value === 'replaced') throw logChanged()
      return length
    } finally {
      await pieces.return('open')
    }
  }

  /** A log whose file is complete, and that no other node has written. Never rejects. */
  async shareWhole(staging: string, file: string): Promise<void> {
    const log = { staging, file, writer: 0, since: 0, aloneMs: Infinity }
    await this.#newUpload(log).finish(true)
  }

  /**
   * Stores a log that was written elsewhere, in place of all that is stored of it: whoever continues it comes after that. It must have
   * no writer.
   *
   * @param isComplete whether its staging has ended
   */
  async replace(staging: string, log: OpenLog, isComplete: boolean): Promise<void> {
    const key = segmentKey(staging, wholeBy(0), 1)
    for (const segment of (await this.find(staging)).segments)
      if (segment.key !== key) await this.objects.remove(segment.key)
    const length = log.length + (isComplete ? Buffer.byteLength(END) : 0)
    await this.objects.upload(key, wholeLog(log, isComplete), length)
  }

  /** What `replace` has stored, as `wholeLog` is. Undefined if there is anything else. */
  async openReplaced(staging: string): Promise<AsyncIterable<Buffer> | undefined> {
    const { segments } = await this.find(staging)
    const [only, ...more] = segments
    if (only?.key !== segmentKey(staging, wholeBy(0), 1) || more.length > 0) return undefined
    return (await this.objects.get(only.key))?.body as AsyncIterable<Buffer> | undefined
  }

  #newUpload(log: Omit<UploadedLog, 'waitMs' | 'aloneMs'> & Partial<UploadedLog>): LogUpload {
    return new LogUpload(this.objects, { ...this.#times, ...log }, this.logger, this.#stop.signal)
  }

  async find(staging: string): Promise<SharedLog> {
    const segments: Segment[] = []
    for await (const object of this.objects.list(logPrefix(staging))) {
      const segment = parseSegment(object)
      if (segment) segments.push(segment)
    }
    return { segments, version: segments.map(({ key, etag, length }) => `${key} ${etag} ${length}`).join('\n') }
  }

  /**
   * The lines after `since`, in pieces, each once and in order. Reading ends where a part was `replaced` meanwhile: the next
   * `find` shows what is in its place. Otherwise it tells whether the log is `complete`.
   */
  async *read(
    segments: readonly Segment[],
    since: number,
  ): AsyncGenerator<readonly StoredLine[], 'complete' | 'open' | 'replaced'> {
    let last = since
    let isComplete = false
    for (const { key, before, next } of partsOf(segments)) {
      if (next <= last + 1) continue
      const found = await this.objects.get(key)
      if (!found) return 'replaced'
      let rest: Buffer = Buffer.alloc(0)
      // A later writer has gone on with what was complete before.
      isComplete = false
      try {
        for await (const chunk of found.body as AsyncIterable<Buffer>) {
          const read = Buffer.concat([rest, chunk])
          const end = read.lastIndexOf(NEWLINE) + 1
          rest = read.subarray(end)
          if (end === 0) continue
          isComplete = read.subarray(Math.max(0, end - END.length), end).equals(END_BYTES)
          const lines = parsePiece(read.subarray(0, end)).lines.filter(({ seq }) => {
            if (seq <= last || seq >= before) return false
            last = seq
            return true
          })
          if (lines.length > 0) yield lines
        }
      } finally {
        found.body.destroy()
      }
    }
    return isComplete ? 'complete' : 'open'
  }

  async list(): Promise<ReadonlyMap<string, { readonly length: number; readonly modifiedAt: Date }>> {
    const found = new Map<string, { length: number; modifiedAt: Date }>()
    for await (const object of this.objects.list(LOGS)) {
      const staging = parseSegment(object)?.staging
      if (staging === undefined) continue
      const { length, modifiedAt } = found.get(staging) ?? { length: 0, modifiedAt: new Date(0) }
      const later = Math.max(modifiedAt.getTime(), object.lastModified.getTime())
      found.set(staging, { length: length + object.length, modifiedAt: new Date(later) })
    }
    return found
  }

  async delete(staging: string): Promise<void> {
    for (const { key } of (await this.find(staging)).segments) await this.objects.remove(key)
  }
}

/** A log as one object. */
export async function* wholeLog(log: OpenLog, isComplete: boolean): AsyncGenerator<Buffer> {
  yield* contentOf(log)
  if (isComplete) yield Buffer.from(END)
}

function logChanged(): Unavailable {
  return new Unavailable('log-changed', 'A log was replaced while it was read: try again.')
}

function isLogChanged(error: unknown): boolean {
  return error instanceof Unavailable && error.code === 'log-changed'
}

/** Whether a log in a file has that line. */
async function hasLine(path: string, line: StoredLine): Promise<boolean> {
  const source = { file: path, isComplete: () => Promise.resolve(true), onChange: () => () => undefined }
  const options = { since: line.seq - 1, follow: false, signal: new AbortController().signal }
  try {
    for await (const [first] of readLog(source, options)) return first?.seq === line.seq && first.json === line.json
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
  return false
}
