import { Transform } from 'node:stream'

/**
 * A stream that stays one chunk behind its source.
 *
 * A blob is verified while it is read, so damage is known only at its end. By then a response with a Content-Length
 * would be complete, and the client would take it for good. Without its last chunk it is incomplete.
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
