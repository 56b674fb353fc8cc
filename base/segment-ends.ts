/**
 * A source is packed as one gzip stream that is flushed after every few files, so that what comes next refers to nothing
 * before it. A flush ends with these bytes: the length of an empty stored block, and its complement.
 */
const MARK = Buffer.from([0x00, 0x00, 0xff, 0xff])

/**
 * Finds the ends of segments: of the bytes up to and with a mark. Both sides of an upload cut by this rule, so that a
 * mark that is compressed data by chance is an end for both. Any file has segments by it; the last one needs no mark.
 *
 * No end of a mark is a beginning of one, so that the segments of a stream are those of its parts, if these end with one.
 */
export class SegmentEnds {
  /** The last bytes that can be the beginning of a mark. */
  #tail = Buffer.alloc(0)

  /** The offsets in `chunk`, which follows the chunks before it, after which a segment ends. */
  push(chunk: Buffer): number[] {
    const ends: number[] = []
    const seam = Buffer.concat([this.#tail, chunk.subarray(0, MARK.length - 1)])
    const across = seam.indexOf(MARK)
    if (across >= 0 && across < this.#tail.length) ends.push(across + MARK.length - this.#tail.length)
    for (let at = chunk.indexOf(MARK); at >= 0; at = chunk.indexOf(MARK, at)) ends.push((at += MARK.length))
    const kept = MARK.length - 1
    this.#tail =
      chunk.length >= kept ? Buffer.from(chunk.subarray(-kept)) : Buffer.concat([this.#tail, chunk]).subarray(-kept)
    return ends
  }
}

/** The segments of `bytes`. */
export function segmentsOf(bytes: Buffer): Buffer[] {
  const segments: Buffer[] = []
  let start = 0
  for (const end of new SegmentEnds().push(bytes)) {
    segments.push(bytes.subarray(start, end))
    start = end
  }
  if (start < bytes.length) segments.push(bytes.subarray(start))
  return segments
}
