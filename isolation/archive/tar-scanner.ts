import { Transform, type TransformCallback } from 'node:stream'
import type { ArchiveLimits } from './limits.js'
import { TarFollower } from './tar-follower.js'
import { END_OF_ARCHIVE } from './tar-member.js'

/**
 * A stream through which a tar archive passes while it is followed; it errs at the first byte that is refused, before
 * that byte is handed on. Padding behind the end of the archive is looked at and not handed on.
 *
 * The blocks that end an archive are held back until all of it was looked at. GNU tar may end as soon as it has read
 * them (where a record of its own ends with them), and what is still being read here would seem to have been cut off.
 */
export class TarScanner extends Transform {
  readonly follower: TarFollower
  #heldBack = Buffer.alloc(0)

  constructor(limits: ArchiveLimits, compressedBytes?: () => number) {
    super({ highWaterMark: 256 * 1024 })
    this.follower = new TarFollower(limits, compressedBytes)
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      this.#pass(this.follower.push(chunk))
      done()
    } catch (error) {
      done(error as Error)
    }
  }

  override _flush(done: TransformCallback): void {
    try {
      this.follower.finish()
      done(null, this.#heldBack)
    } catch (error) {
      done(error as Error)
    }
  }

  #pass(chunk: Buffer): void {
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
