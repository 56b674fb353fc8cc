import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { SegmentEnds, segmentsOf } from '../../base/segment-ends.js'

const MARK = Buffer.from([0, 0, 0xff, 0xff])

/** Bytes in which marks, and halves of them, are frequent. */
function bytesWithMarks(length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => [0, 0, 0xff, 0xff, 7][randomInt(5)] ?? 0))
}

function endsOf(chunks: readonly Buffer[]): number[] {
  const found = new SegmentEnds()
  let offset = 0
  return chunks.flatMap((chunk) => {
    const ends = found.push(chunk).map((end) => offset + end)
    offset += chunk.length
    return ends
  })
}

test('the segments of a stream do not depend on its chunks', () => {
  for (let round = 0; round < 500; round++) {
    const bytes = bytesWithMarks(40)
    const chunks: Buffer[] = []
    for (let at = 0; at < bytes.length;) {
      const end = at + randomInt(6)
      chunks.push(bytes.subarray(at, end))
      at = end
    }
    expect(endsOf(chunks)).toEqual(endsOf([bytes]))
  }
})

test('the segments of parts that end with a mark are those of the parts together', () => {
  for (let round = 0; round < 500; round++) {
    const parts = [bytesWithMarks(20), bytesWithMarks(20), bytesWithMarks(20)].map((part) =>
      Buffer.concat([part, MARK]),
    )
    expect(segmentsOf(Buffer.concat(parts))).toEqual(parts.flatMap((part) => segmentsOf(part)))
  }
})
