import { pipeline, type Readable, Transform, type TransformCallback } from 'node:stream'

/** Forwards its input unchanged and counts the bytes. */
export class ByteCounter extends Transform {
  bytes = 0

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.bytes += chunk.length
    done(null, chunk)
  }

  /** `input` behind a counter. An error or the destruction of one stream is passed on to the other. */
  static of(input: Readable): ByteCounter {
    const counter = new ByteCounter({ highWaterMark: 256 * 1024 })
    // The consumer of the counter gets the error. The empty callback prevents a second, unhandled one.
    pipeline(input, counter, () => undefined)
    return counter
  }
}
