import { Transform } from 'node:stream'

/** Passes data through unchanged and calls back for each chunk. */
export function meter(onChunk: (chunk: Uint8Array) => void): Transform {
  return new Transform({
    transform(chunk: Uint8Array, _encoding, callback) {
      onChunk(chunk)
      callback(null, chunk)
    },
  })
}
