import type { PackedDirectory } from '../pack/pack-directory.js'

/** How the daemon assembles an archive: what it takes from what it has, and the rest. */
export interface Composition {
  /** In bytes. */
  readonly length: number
  readonly chunks: () => AsyncIterable<Uint8Array>
}

/** Lines for what the daemon has are sent together, in bytes. */
const BATCH = 64 * 1024

/**
 * A line for each segment, in order: `have DIGEST`, or `data DIGEST LENGTH` with that many bytes after the line.
 * Undefined if the daemon lacks a segment that was not read.
 *
 * @param lacking positions of the segments that the daemon lacks
 */
export function compositionOf(
  { segments, readSegment }: Pick<PackedDirectory, 'segments' | 'readSegment'>,
  lacking: ReadonlySet<number>,
): Composition | undefined {
  let length = 0
  const lines: { readonly line: string; readonly segment: (typeof segments)[number] | undefined }[] = []
  for (const [position, segment] of segments.entries()) {
    const isLacking = lacking.has(position)
    if (isLacking && segment.at === undefined) return undefined
    const line = isLacking ? `data ${segment.sha256} ${segment.length}\n` : `have ${segment.sha256}\n`
    length += line.length + (isLacking ? segment.length : 0)
    lines.push({ line, segment: isLacking ? segment : undefined })
  }
  async function* chunks(): AsyncGenerator<Uint8Array> {
    let batch = ''
    for (const { line, segment } of lines) {
      batch += line
      if (!segment && batch.length < BATCH) continue
      yield Buffer.from(batch)
      batch = ''
      if (segment) yield await readSegment(segment)
    }
    if (batch !== '') yield Buffer.from(batch)
  }
  return { length, chunks }
}
