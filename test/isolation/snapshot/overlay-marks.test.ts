import fc from 'fast-check'
import { expect, test } from 'vitest'
import { marksIn } from '../../../isolation/snapshot/overlay-marks.js'

const DUMP = [
  '# file: opt/a b\\012\\134',
  'trusted.overlay.opaque="y"',
  '',
  '# file: moved',
  'trusted.overlay.metacopy',
  'trusted.overlay.redirect="/old\\040place"',
  '',
  '',
].join('\n')

async function read(pieces: readonly string[]) {
  async function* arriving(): AsyncGenerator<string> {
    for (const piece of pieces) yield await Promise.resolve(piece)
  }
  const found = []
  for await (const marked of marksIn(arriving())) found.push(marked)
  return found
}

const EXPECTED = [
  { path: 'opt/a b\n\\', marks: new Map([['opaque', 'y']]) },
  {
    path: 'moved',
    marks: new Map([
      ['metacopy', ''],
      ['redirect', '/old place'],
    ]),
  },
]

test('a dump of getfattr is parsed at any chunk boundaries, with unusual names', async () => {
  const cuts = fc.array(fc.nat(DUMP.length), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(cuts, async (places) => {
      const ends = [...places, DUMP.length].sort((a, b) => a - b)
      expect(await read(ends.map((end, index) => DUMP.slice(ends[index - 1] ?? 0, end)))).toEqual(EXPECTED)
    }),
  )
})

test('an empty dump has no marks', async () => {
  expect(await read([])).toEqual([])
})
