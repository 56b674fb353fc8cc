import { Transform } from 'node:stream'

/**
 * A stream that is always one chunk behind its source.
 *
 * A blob is verified while it is read, so a damaged one is known only at its end; by then a response with a
 * Content-Length would be complete, and good as far as the client can tell. With its last chunk missing it is not.
 */
export function holdBack(): Transform {
  let held: Buffer | undefined
  return new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      const ready = held
      held = chunk
      callback(null, ready)
    },
    flush(callback) {
      callback(null, held)
    },
  })
}
