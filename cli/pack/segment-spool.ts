import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { crc32, joinCrc32 } from '../../base/crc32.js'
import { segmentsOf } from '../../base/segment-ends.js'
import { GZIP_BEGINNING, gzipEnd } from '../../base/segmented-gzip.js'
import type { Io } from '../terminal/io.js'
import { SpooledBytes } from './spooled-bytes.js'

/** A part of a packed source that the daemon finds by its digest. */
export interface Segment {
  /** In hexadecimal. */
  readonly sha256: string
  /** In bytes. */
  readonly length: number
}

/** Compressed data that ends with a flush, so that what follows does not refer to it. */
export interface Flushed {
  readonly segments: readonly Segment[]
  /** Of the data before compression. */
  readonly crc: number
  /** Of the data before compression, in bytes. */
  readonly length: number
}

/** Where its bytes are spooled; undefined if they are not. */
export interface PlacedSegment extends Segment {
  readonly at: number | undefined
}

const deflate = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.deflateRaw)

/**
 * Always zlib, even where the host has a faster program: each compressor gives other bytes, and the digest of a source
 * must not depend on the host. The socket is local, so speed matters more than size.
 */
const OPTIONS = { level: 1, finishFlush: zlib.constants.Z_FULL_FLUSH, chunkSize: 128 * 1024 }

/**
 * Chunks that are under way, in the four threads of libuv, while the next one is read. With two, a thread waits for what is read
 * and written: that takes a third longer on two processors. With more, reading is the longest part.
 */
const AT_ONCE = 4

/**
 * One gzip stream, of which the segments that were compressed here are spooled. The others are known by their digests. The
 * owner calls `finish`, and closes `bytes` in every case.
 */
export class SegmentSpool {
  readonly segments: PlacedSegment[] = []
  readonly bytes: SpooledBytes
  #crc = 0
  #length = 0
  #hash = createHash('sha256')
  #tasks: Promise<unknown>[] = []
  #writing: Promise<unknown> = Promise.resolve()

  private constructor(
    env: Io['env'],
    private readonly atOnce: number,
  ) {
    this.bytes = new SpooledBytes(env)
  }

  /** @param atOnce chunks that are compressed at the same time; the result does not depend on it */
  static async open(env: Io['env'], atOnce = AT_ONCE): Promise<SegmentSpool> {
    const spool = new SegmentSpool(env, atOnce)
    await spool.#append(GZIP_BEGINNING)
    return spool
  }

  /** Of the whole stream; undefined if segments of it are not spooled. */
  get sha256(): string | undefined {
    return this.segments.every(({ at }) => at !== undefined) ? this.#hash.copy().digest('hex') : undefined
  }

  /** Adds what was compressed before, and is not read again. */
  async addKnown({ segments, crc, length }: Flushed): Promise<void> {
    await this.#settle(0)
    this.segments.push(...segments.map((segment) => ({ ...segment, at: undefined })))
    this.#count(crc, length)
  }

  /**
   * Compresses chunks that follow each other. Resolves when the next ones can be added; `flushed` gets the result later.
   */
  async add(chunks: Iterable<Buffer>): Promise<{ readonly flushed: Promise<Flushed> }> {
    const parts: Promise<Flushed>[] = []
    for (const chunk of chunks) {
      parts.push(this.#compress(chunk))
      await this.#settle(this.atOnce - 1)
    }
    const flushed = Promise.all(parts).then(joined)
    flushed.catch(() => undefined)
    return { flushed }
  }

  /** Must be called once, after the last data. */
  async finish(): Promise<void> {
    await this.#settle(0)
    await this.#append(gzipEnd(this.#crc, this.#length))
  }

  #compress(chunk: Buffer): Promise<Flushed> {
    const compressing = deflate(chunk, OPTIONS)
    const crc = crc32(chunk)
    this.#count(crc, chunk.length)
    const before = this.#writing
    const result = (async () => {
      const [bytes] = await Promise.all([compressing, before])
      return { segments: await this.#append(bytes), crc, length: chunk.length }
    })()
    result.catch(() => undefined)
    this.#writing = result
    this.#tasks.push(result)
    return result
  }

  /** Waits until no more than `left` chunks are being compressed. */
  async #settle(left: number): Promise<void> {
    while (this.#tasks.length > left) await this.#tasks.shift()
  }

  #count(crc: number, length: number): void {
    this.#crc = joinCrc32(this.#crc, crc, length)
    this.#length += length
  }

  async #append(bytes: Buffer): Promise<readonly Segment[]> {
    this.#hash.update(bytes)
    const added = segmentsOf(bytes).map((segment) => ({
      sha256: createHash('sha256').update(segment).digest('hex'),
      length: segment.length,
    }))
    let at = this.bytes.length
    for (const segment of added) {
      this.segments.push({ ...segment, at })
      at += segment.length
    }
    await this.bytes.append(bytes)
    return added
  }
}

function joined(parts: readonly Flushed[]): Flushed {
  return parts.reduce(
    (one, other) => ({
      segments: [...one.segments, ...other.segments],
      crc: joinCrc32(one.crc, other.crc, other.length),
      length: one.length + other.length,
    }),
    { segments: [], crc: 0, length: 0 },
  )
}
