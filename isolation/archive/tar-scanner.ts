import { Transform, type TransformCallback } from 'node:stream'
import { END_OF_ARCHIVE } from '../../base/tar-blocks.js'
import type { ArchiveLimits } from './limits.js'
import type { MappedOwners } from './mapped-owners.js'
import type { ArchiveObserver } from '../archive-observer.js'
import { TarParser } from './tar-parser.js'

/**
 * A transform stream that checks a tar archive. It fails at the first byte that is refused, before that byte is passed
 * on. Padding after the end of the archive is checked and dropped.
 *
 * The final zero blocks are held back until the whole input is checked. GNU tar may exit as soon as it has read them
 * (when they complete a tar record), and the rest of the input would then look like a broken pipe.
 */
export class TarScanner extends Transform {
  readonly parser: TarParser
  #heldBack = Buffer.alloc(0)

  constructor(
    limits: ArchiveLimits,
    compressedBytes?: () => number,
    owners?: MappedOwners,
    observer?: ArchiveObserver,
  ) {
    super({ highWaterMark: 256 * 1024 })
    this.parser = new TarParser(limits, compressedBytes, owners, observer)
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      this.#forward(this.parser.push(chunk))
      done()
    } catch (error) {
      done(error as Error)
    }
  }

  override _flush(done: TransformCallback): void {
    try {
      this.parser.finish()
      done(null, this.#heldBack)
    } catch (error) {
      done(error as Error)
    }
  }

  #forward(chunk: Buffer): void {
    const held = END_OF_ARCHIVE.length
    if (chunk.length < held) {
      const both = Buffer.concat([this.#heldBack, chunk])
      if (both.length > held) this.push(both.subarray(0, -held))
      this.#heldBack = both.subarray(-held)
    } else {
      if (this.#heldBack.length > 0) this.push(this.#heldBack)
      if (chunk.length > held) this.push(chunk.subarray(0, -held))
      this.#heldBack = Buffer.from(chunk.subarray(-held))
    }
  }
}
