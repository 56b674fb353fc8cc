import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { errnoOf, type Fault } from '../../base/errors.js'
import { blobCorrupt } from './blob-errors.js'

/** With these the kernel says that the medium, or the filesystem on it, does not have the content any more. */
const LOST: readonly string[] = ['EIO', 'EBADMSG', 'EUCLEAN', 'EILSEQ']

const CHUNK_BYTES = 512 * 1024

/**
 * The content of a blob, verified against its name while it is read. The stream owns the file handle: it closes it at
 * the end, on an error, and when it is destroyed, even if nothing was read.
 *
 * The last chunk is held back until the digest is verified. Otherwise a client that counts bytes (Content-Length) would
 * have received a damaged blob completely before the error.
 */
export class VerifiedBlobStream extends Readable {
  readonly #hash = createHash('sha256')
  #position = 0
  #reading = false
  #closeWhenRead: (() => void) | undefined

  constructor(
    readonly file: FileHandle,
    readonly sha256: string,
    readonly length: number,
    /** Called when the content is known: after the last byte was read, or at the first missing one. */
    readonly onVerdict: (verdict: 'sound' | 'damaged') => void = () => undefined,
  ) {
    super({ highWaterMark: CHUNK_BYTES })
  }

  override _read(): void {
    this.#reading = true
    this.#readChunk().then(
      (chunks) => {
        this.#readDone()
        for (const chunk of chunks) this.push(chunk)
      },
      (error: unknown) => {
        this.#readDone()
        this.destroy(error instanceof Error ? error : new Error(String(error)))
      },
    )
  }

  async #readChunk(): Promise<(Buffer | null)[]> {
    const remaining = this.length - this.#position
    const wanted = Math.min(CHUNK_BYTES, remaining)
    let chunk = Buffer.allocUnsafe(wanted)
    if (wanted > 0) {
      const bytesRead = await this.#readInto(chunk)
      if (bytesRead === 0) throw this.#corrupt('is too short')
      chunk = chunk.subarray(0, bytesRead)
      this.#position += bytesRead
      this.#hash.update(chunk)
    }
    if (this.#position < this.length) return [chunk]
    if (this.#hash.digest('hex') !== this.sha256) throw this.#corrupt('does not match its digest')
    this.onVerdict('sound')
    return chunk.length > 0 ? [chunk, null] : [null]
  }

  async #readInto(chunk: Buffer): Promise<number> {
    try {
      return (await this.file.read(chunk, 0, chunk.length, this.#position)).bytesRead
    } catch (error) {
      const code = errnoOf(error) ?? ''
      throw LOST.includes(code) ? this.#corrupt(`cannot be read (${code})`) : error
    }
  }

  #corrupt(how: string): Fault {
    this.onVerdict('damaged')
    return blobCorrupt(this.sha256, how)
  }

  #readDone(): void {
    this.#reading = false
    this.#closeWhenRead?.()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const close = () => {
      this.file.close().then(
        () => callback(error),
        (closing: unknown) => callback(error ?? (closing as Error)),
      )
    }
    // A read in the thread pool could read another file if its descriptor were closed and reused meanwhile.
    if (this.#reading) this.#closeWhenRead = close
    else close()
  }
}
