import { pipeline, Transform, type Readable } from 'node:stream'

/**
 * Where a client wants to go on, in bytes; undefined for the whole. Only the form that a download which broke off uses
 * is known, `bytes=N-`; to answer any other with the whole is right by RFC 9110.
 */
export function wantedFrom(
  range: string | undefined,
  ifRange: string | string[] | undefined,
  etag: string,
): number | undefined {
  const [, from] = /^bytes=(\d{1,15})-$/.exec(range ?? '') ?? []
  if (from === undefined || (ifRange !== undefined && ifRange !== etag)) return undefined
  return Number(from)
}

/** `stream` without its first bytes: they are read all the same, since its digest is of the whole. */
export function readFrom(stream: Readable, from: number): Readable {
  let left = from
  const rest = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const skipped = Math.min(left, chunk.length)
      left -= skipped
      if (skipped === chunk.length) done()
      else done(null, chunk.subarray(skipped))
    },
  })
  // An error of one is the end of the other, and is seen by whoever reads `rest`.
  pipeline(stream, rest, () => undefined)
  return rest
}
