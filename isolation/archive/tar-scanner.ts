import { Transform, type TransformCallback } from 'node:stream'
import type { ArchiveLimits } from './limits.js'
import { TarFollower } from './tar-follower.js'

/**
 * A stream through which a tar archive passes while it is followed; it errs at the first byte that is refused, before
 * that byte is handed on. Padding behind the end of the archive is looked at and not handed on.
 */
export class TarScanner extends Transform {
  readonly follower: TarFollower

  constructor(limits: ArchiveLimits, compressedBytes?: () => number) {
    super({ highWaterMark: 256 * 1024 })
    this.follower = new TarFollower(limits, compressedBytes)
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      const kept = this.follower.push(chunk)
      if (kept.length === 0) done()
      else done(null, kept)
    } catch (error) {
      done(error as Error)
    }
  }

  override _flush(done: TransformCallback): void {
    try {
      this.follower.finish()
      done()
    } catch (error) {
      done(error as Error)
    }
  }
}
