import { pipeline, Transform, type Readable } from 'node:stream'

/**
 * The offset at which a client resumes, in bytes; undefined for the whole. Only `bytes=N-` is supported, the form that
 * interrupted downloads use. RFC 9110 allows to ignore any other and send the whole.
 */
export function rangeStart(
  range: string | undefined,
  ifRange: string | string[] | undefined,
  etag: string,
): number | undefined {
  const [, from] = /^bytes=(\d{1,15})-$/.exec(range ?? '') ?? []
  if (from === undefined || (ifRange !== undefined && ifRange !== etag)) return undefined
  return Number(from)
}

/** `stream` without its first bytes. They are still read, because the stream verifies the digest of the whole. */
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
  // The pipeline passes an error of `stream` on to the reader of `rest`.
  pipeline(stream, rest, () => undefined)
  return rest
}
