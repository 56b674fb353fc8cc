import { Transform } from 'node:stream'

/** Hands everything on, and tells of every chunk. */
export function meter(onChunk: (chunk: Uint8Array) => void): Transform {
  return new Transform({
    transform(chunk: Uint8Array, _encoding, callback) {
      onChunk(chunk)
      callback(null, chunk)
    },
  })
}
