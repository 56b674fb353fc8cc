import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { Elapsed } from '../../base/elapsed.js'
import { errnoOf } from '../../base/errors.js'
import { Mutex } from '../../base/mutex.js'
import type { Bucket } from '../store/s3/bucket.js'
import { findOffsetAfter } from './find-line.js'
import { readPieces, type StoredLine } from './log-file.js'
import { END, logPrefix, parseSegment, partsBy, segmentKey, wholeBy } from './log-segments.js'

export type LogObjects = Pick<Bucket, 'put' | 'upload' | 'get' | 'list' | 'remove'>

/** A part of a log is written again with each line that it gets, until it is that long. In bytes. */
const PART_BYTES = 64 * 1024
/** How long a line waits at most, in milliseconds. */
const SHARE_MS = 2_000
/** How long who could not write waits before it tries again, at first and at most, in milliseconds. */
const RETRY_MS = 2_000
const LONGEST_RETRY_MS = 5 * 60 * 1000

export interface UploadedLog {
  readonly staging: string
  /** The file on this node, which has all lines. */
  readonly file: string
  /** Its own number among the writers of the log: see `partsBy`. */
  readonly writer: number
  /** The lines up to this number are in the objects of earlier writers. */
  readonly since: number
  /** How long a staging waits at most for an object store that does not answer, in milliseconds. */
  readonly waitMs: number
  /** For how long after the log was opened no other node can continue it, in milliseconds. */
  readonly aloneMs: number
}

/**
 * Copies the lines of a log that is being written from the file on this node to the object store.
 *
 * INVARIANTS
 * - A line is in the store two seconds after it was written, or sooner if there are many; or when `share` resolves.
 * - What the store does not take now is tried again: nothing is kept in memory for that. A staging does not fail because of it.
 * - A short log is one object. A longer one is made one object when it is complete.
 * - Who finds that another node has continued the log leaves it to that one.
 */
export class LogUpload {
  readonly #mutex = new Mutex()
  /** Where the part begins in the file that is not full. Undefined until it was looked for. */
  #partAt: number | undefined
  /** Up to where in the file lines are in the store. */
  #sharedTo = 0
  #written = 0
  #timer: NodeJS.Timeout | undefined
  #next: Promise<void> | undefined
  #isFailing = false
  readonly #begun = new Elapsed()

  constructor(
    private readonly objects: LogObjects,
    private readonly log: UploadedLog,
    private readonly logger: Pick<Logger, 'warn'>,
    private readonly stop: AbortSignal,
  ) {}

  /** Lines have been written to the file. */
  written(bytes: number): void {
    this.#written += bytes
    if (this.#written >= PART_BYTES) {
      this.#written = 0
      void this.share()
    } else this.#timer ??= setTimeout(() => void this.share(), SHARE_MS).unref()
  }

  /** Resolves when all lines of the file are in the store, or cannot be put there now. Never rejects. */
  async share(): Promise<void> {
    // One that waits for its turn has the lines of now, too.
    this.#next ??= this.#mutex.run(() => {
      this.#next = undefined
      return this.#shareOrLater()
    })
    if (!this.#isFailing) await this.#soon(this.#next)
  }

  /** Undefined if it takes too long. */
  async #soon<T>(work: Promise<T>): Promise<T | undefined> {
    const over = new AbortController()
    const late = sleep(this.log.waitMs, undefined, { signal: over.signal }).catch(() => undefined)
    try {
      return await Promise.race([work, late])
    } finally {
      over.abort()
    }
  }

  async #shareOrLater(): Promise<void> {
    try {
      await this.#share('')
      this.#isFailing = false
    } catch (error) {
      if (!this.#isFailing) this.#warn(error)
      this.#isFailing = true
      if (!this.stop.aborted) this.#timer ??= setTimeout(() => void this.share(), SHARE_MS).unref()
    }
  }

  #warn(error: unknown): void {
    const { staging } = this.log
    this.logger.warn({ err: error, staging }, 'a log could not be written to the object store yet')
  }

  /**
   * The file is closed. With `isComplete`, it has all lines that the log will ever have. Never rejects; what the store does not
   * take is tried again until it does, or the node stops.
   *
   * @returns false if another node has continued the log
   */
  async finish(isComplete: boolean): Promise<boolean> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const finishing = this.#tryToFinish(isComplete)
    void finishing.then((result) => (result === 'later' ? this.#finishLater(isComplete) : undefined))
    return (await this.#soon(finishing)) !== 'overtaken'
  }

  async #finishLater(isComplete: boolean): Promise<void> {
    const isStopped = () => this.stop.aborted
    for (let pauseMs = RETRY_MS; !isStopped(); pauseMs = Math.min(2 * pauseMs, LONGEST_RETRY_MS)) {
      await sleep(pauseMs, undefined, { signal: this.stop, ref: false }).catch(() => undefined)
      if (isStopped() || (await this.#tryToFinish(isComplete)) !== 'later') return
    }
  }

  async #tryToFinish(isComplete: boolean): Promise<'done' | 'overtaken' | 'later'> {
    try {
      return await this.#mutex.run(async () => {
        if (isComplete) return await this.#complete()
        await this.#share('')
        return 'done'
      })
    } catch (error) {
      // The log was deleted.
      if (errnoOf(error) === 'ENOENT') return 'done'
      this.#warn(error)
      return 'later'
    }
  }

  async #complete(): Promise<'done' | 'overtaken'> {
    const { since, writer, aloneMs } = this.log
    const isShort = since === 0 && (this.#partAt ?? 0) === 0
    if (isShort && this.#begun.ms < aloneMs && (await this.#share(END))) return 'done'
    for await (const object of this.objects.list(logPrefix(this.log.staging)))
      if ((parseSegment(object)?.writer ?? 0) > wholeBy(writer)) return 'overtaken'
    if (!isShort || !(await this.#share(END))) await this.#merge()
    return 'done'
  }

  /**
   * @param end comes after the last line
   * @returns whether all of it is in one object, with the end
   */
  async #share(end: '' | typeof END): Promise<boolean> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const { since } = this.log
    const file = await open(this.log.file)
    try {
      this.#partAt ??= await findOffsetAfter(file, since)
      let lines: StoredLine[] = []
      let bytes = 0
      let to = this.#partAt
      const began = this.#partAt
      for await (const piece of readPieces(file, this.#partAt)) {
        const own = piece.lines.filter(({ seq }) => seq > since)
        lines.push(...own)
        bytes += piece.end - to
        to = piece.end
        if (bytes < PART_BYTES) continue
        if (to > this.#sharedTo) await this.#put(lines, '')
        this.#sharedTo = Math.max(to, this.#sharedTo)
        this.#partAt = to
        lines = []
        bytes = 0
      }
      if (lines.length > 0 && (to > this.#sharedTo || end !== '')) await this.#put(lines, end)
      this.#sharedTo = Math.max(to, this.#sharedTo)
      return began === 0 && this.#partAt === 0 && lines.length > 0
    } finally {
      await file.close()
    }
  }

  async #put(lines: readonly StoredLine[], end: string): Promise<void> {
    const [first] = lines
    if (!first) return
    const key = segmentKey(this.log.staging, partsBy(this.log.writer), first.seq)
    await this.objects.put(key, Buffer.from(`${lines.map(({ json }) => `${json}\n`).join('')}${end}`))
  }

  /** One object in place of all, which replaces them at once. */
  async #merge(): Promise<void> {
    const { staging, writer } = this.log
    const file = await open(this.log.file)
    try {
      const { size } = await file.stat()
      const content = async function* () {
        for await (const { lines } of readPieces(file, 0))
          yield Buffer.from(lines.map(({ json }) => `${json}\n`).join(''))
        yield Buffer.from(END)
      }
      await this.objects.upload(segmentKey(staging, wholeBy(writer), 1), content(), size)
    } finally {
      await file.close()
    }
    for await (const object of this.objects.list(logPrefix(staging)))
      if ((parseSegment(object)?.writer ?? Infinity) < wholeBy(writer)) await this.objects.remove(object.key)
  }
}
