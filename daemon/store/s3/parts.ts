/** S3 allows no parts of less than 5 MiB, except for the last one, and no more than 10 000. */
const PART_BYTES = 8 * 1024 * 1024
const MAX_PARTS = 10_000

/** How large the parts of an object are so that there are not too many of them. */
export function partBytesFor(length: number): number {
  return Math.max(PART_BYTES, Math.ceil(length / MAX_PARTS))
}

/** The content in parts of that size; the last one is shorter, and not empty. */
export async function* inParts(content: AsyncIterable<Buffer>, partBytes: number): AsyncGenerator<Buffer, undefined> {
  let part: Buffer[] = []
  let bytes = 0
  for await (let chunk of content) {
    while (bytes + chunk.length >= partBytes) {
      const end = partBytes - bytes
      yield Buffer.concat([...part, chunk.subarray(0, end)], partBytes)
      chunk = chunk.subarray(end)
      part = []
      bytes = 0
    }
    if (chunk.length === 0) continue
    part.push(chunk)
    bytes += chunk.length
  }
  if (bytes > 0) yield Buffer.concat(part, bytes)
}
