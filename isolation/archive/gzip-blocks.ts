import { Transform, type TransformCallback } from 'node:stream'
import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { crc32, joinCrc32 } from '../../base/crc32.js'
import { GZIP_BEGINNING, gzipEnd } from '../../base/segmented-gzip.js'

const deflate = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.deflateRaw)

/** In bytes. Smaller ones cost more processor time, because zlib prepares a quarter of a megabyte for each. */
const BLOCK = 512 * 1024

/** What deflate can refer to, in bytes. */
const WINDOW = 32 * 1024

export interface GzipBlocksOptions {
  readonly level: number
  /** Blocks that are compressed at the same time, in threads of libuv. The output does not depend on it. */
  readonly atOnce: number
}

/**
 * Compresses to one gzip stream in blocks, several at the same time, as pigz does. Each block may refer to the end of the one before
 * it, so that the result is as small as from one thread.
 *
 * The same input gives the same output, however it comes in chunks. Of each block that is under way, memory holds input and output.
 */
export class GzipBlocks extends Transform {
  readonly #options: GzipBlocksOptions
  #held: Buffer[] = []
  #heldLength = 0
  /** The last bytes that were given to a block. */
  #before: Buffer = Buffer.alloc(0)
  /** In the order of their blocks. */
  #running: Promise<Buffer>[] = []
  #crc = 0
  #length = 0

  constructor(options: GzipBlocksOptions) {
    super({ readableHighWaterMark: 2 * BLOCK, writableHighWaterMark: 2 * BLOCK })
    this.#options = options
    this.push(GZIP_BEGINNING)
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#take(chunk).then(() => done(), done)
  }

  override _flush(done: TransformCallback): void {
    this.#finish().then(() => done(), done)
  }

  async #take(chunk: Buffer): Promise<void> {
    this.#held.push(chunk)
    this.#heldLength += chunk.length
    if (this.#heldLength < BLOCK) return
    const held = this.#held.length === 1 ? chunk : Buffer.concat(this.#held)
    const end = held.length - (held.length % BLOCK)
    for (let at = 0; at < end; at += BLOCK) {
      this.#compress(held.subarray(at, at + BLOCK))
      // One more than are compressed at a time, so that no thread waits for what is read.
      await this.#emit(this.#options.atOnce)
    }
    this.#held = [held.subarray(end)]
    this.#heldLength = held.length - end
  }

  async #finish(): Promise<void> {
    if (this.#heldLength > 0) this.#compress(Buffer.concat(this.#held))
    await this.#emit(0)
    this.push(gzipEnd(this.#crc, this.#length))
  }

  #compress(block: Buffer): void {
    const { level } = this.#options
    const compressing = deflate(block, {
      level,
      finishFlush: zlib.constants.Z_SYNC_FLUSH,
      chunkSize: BLOCK,
      ...(this.#before.length > 0 ? { dictionary: this.#before } : {}),
    })
    // `#emit` fails with the same error.
    compressing.catch(() => undefined)
    this.#running.push(compressing)
    this.#before = block.subarray(-WINDOW)
    this.#crc = joinCrc32(this.#crc, crc32(block), block.length)
    this.#length += block.length
  }

  /** Passes on the oldest blocks until no more than `left` are being compressed. */
  async #emit(left: number): Promise<void> {
    while (this.#running.length > left) {
      const bytes = await this.#running.shift()
      if (!this.destroyed) this.push(bytes)
    }
  }
}
