import { pipeline, type Readable, Transform, type TransformCallback } from 'node:stream'

/** Passes bytes on and counts them. */
export class ByteCounter extends Transform {
  bytes = 0

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.bytes += chunk.length
    done(null, chunk)
  }

  /** `input`, counted. An error or the destruction of either is that of the other. */
  static of(input: Readable): ByteCounter {
    const counter = new ByteCounter({ highWaterMark: 256 * 1024 })
    // The consumer of the counter gets the error; the callback keeps it from being thrown twice.
    pipeline(input, counter, () => undefined)
    return counter
  }
}
