import { open, rename } from 'node:fs/promises'
import type { Logger } from 'pino'
import { errnoOf, Unavailable } from '../../base/errors.js'
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
import { contentOf, type OpenLog } from './open-log.js'
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

  /** Makes the file one that has all lines in the store, if it is not. It must have no writer. */
  async fetch(staging: string, file: string): Promise<void> {
    const { segments } = await this.find(staging)
    await this.#prepare(segments, file)
  }

  /** Whether the file goes on where the store ends: this node has written the last line there, and may have more. */
  async isContinuedBy(segments: readonly Segment[], file: string): Promise<boolean> {
    const last = await this.#lastLine(segments)
    return !last || (await hasLine(file, last))
  }

  async #fetch(segments: readonly Segment[], file: string): Promise<void> {
    const temporary = `${file}.new`
    const handle = await open(temporary, 'w')
    const pieces = this.read(segments, 0)
    try {
      let next = await pieces.next()
      for (; next.done !== true; next = await pieces.next())
        await handle.appendFile(next.value.map(({ json }) => `${json}\n`).join(''))
      if (next.value === 'replaced') throw logChanged()
    } finally {
      await pieces.return('open')
      await handle.close()
    }
    await rename(temporary, file)
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

/** Whether a log in a file has that line. */
export async function hasLine(path: string, line: StoredLine): Promise<boolean> {
  const source = { file: path, isComplete: () => Promise.resolve(true), onChange: () => () => undefined }
  const options = { since: line.seq - 1, follow: false, signal: new AbortController().signal }
  try {
    for await (const [first] of readLog(source, options)) return first?.seq === line.seq && first.json === line.json
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
  return false
}
