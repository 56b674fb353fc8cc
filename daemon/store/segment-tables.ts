import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { StagerdError } from '../../base/errors.js'
import { SegmentEnds } from '../../base/segment-ends.js'
import type { BlobStore, OpenBlob } from './blob-store.js'

/** A range of a blob. */
export interface Extent {
  readonly offset: number
  readonly length: number
}

/** Where each segment of a blob is, by its SHA-256. */
export type SegmentTable = ReadonlyMap<string, Extent>

/** A blob to take segments from. */
export interface SegmentBase {
  readonly table: SegmentTable
  /** Its content is known to match the table. */
  readonly file: FileHandle
}

/** Tables that are kept: a few packages are staged again and again. */
const KEPT = 8

/** What follows counts as lacking: a hostile archive can end a segment every few bytes. */
const MOST_SEGMENTS = 200_000

const NOTHING: SegmentTable = new Map()

/**
 * The segments of stored blobs. A table is made by reading the blob, so that nothing has to be stored beside it; that also
 * verifies the blob.
 */
export class SegmentTables {
  readonly #blobs: Pick<BlobStore, 'open'>
  /** The one that was used last is the last. */
  readonly #kept = new Map<string, Promise<SegmentTable>>()

  constructor(blobs: Pick<BlobStore, 'open'>) {
    this.#blobs = blobs
  }

  /** Empty for a blob that is missing or damaged, and for none. */
  async of(sha256: string | undefined): Promise<SegmentTable> {
    if (sha256 === undefined) return NOTHING
    const table = this.#kept.get(sha256) ?? this.#make(sha256)
    this.#kept.delete(sha256)
    this.#kept.set(sha256, table)
    for (const oldest of [...this.#kept.keys()].slice(0, -KEPT)) this.#kept.delete(oldest)
    try {
      return await table
    } catch (error) {
      this.#kept.delete(sha256)
      if (isUnusable(error)) return NOTHING
      throw error
    }
  }

  /** The caller calls `close`. `base` is undefined where `of` is empty. */
  async open(
    sha256: string | undefined,
  ): Promise<{ readonly base: SegmentBase | undefined; readonly close: () => void }> {
    const nothing = { base: undefined, close: () => undefined }
    if (sha256 === undefined) return nothing
    const table = await this.of(sha256)
    const blob = await this.#openTrusted(sha256)
    if (!blob?.trustedFile) return nothing
    return { base: { table, file: blob.trustedFile }, close: () => blob.stream.destroy() }
  }

  /** What this process has not read yet, or not for long, is read first. */
  async #openTrusted(sha256: string): Promise<OpenBlob | undefined> {
    try {
      const first = await this.#blobs.open(sha256)
      if (first.trustedFile) return first
      await finished(first.stream.resume())
      const second = await this.#blobs.open(sha256)
      if (second.trustedFile) return second
      second.stream.destroy()
    } catch (error) {
      if (!isUnusable(error)) throw error
    }
    return undefined
  }

  async #make(sha256: string): Promise<SegmentTable> {
    return await tableOf((await this.#blobs.open(sha256)).stream)
  }
}

async function tableOf(stream: Readable): Promise<SegmentTable> {
  const table = new Map<string, Extent>()
  const ends = new SegmentEnds()
  let hash = createHash('sha256')
  let [offset, length] = [0, 0]
  const take = (bytes: Buffer) => {
    hash.update(bytes)
    length += bytes.length
  }
  const end = () => {
    const digest = hash.digest('hex')
    if (length > 0 && !table.has(digest) && table.size < MOST_SEGMENTS) table.set(digest, { offset, length })
    hash = createHash('sha256')
    offset += length
    length = 0
  }
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let start = 0
    for (const at of ends.push(chunk)) {
      take(chunk.subarray(start, at))
      end()
      start = at
    }
    take(chunk.subarray(start))
  }
  end()
  return table
}

function isUnusable(error: unknown): boolean {
  return error instanceof StagerdError && (error.code === 'blob-not-found' || error.code === 'blob-corrupt')
}
