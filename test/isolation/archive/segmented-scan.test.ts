import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { constants, deflateRawSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { crc32 } from '../../../base/crc32.js'
import { segmentsOf } from '../../../base/segment-ends.js'
import { GZIP_BEGINNING, gzipEnd } from '../../../base/segmented-gzip.js'
import { DEFAULT_ARCHIVE_LIMITS } from '../../../isolation/archive/limits.js'
import { scanArchive } from '../../../isolation/archive/scan.js'
import { segmentedScans } from '../../../isolation/archive/segmented-scan.js'
import { END, memberBlocks, type TarMember } from '../../support/tar-builder.js'

const never = new AbortController().signal

const flushed = (plain: Buffer) => deflateRawSync(plain, { level: 1, finishFlush: constants.Z_FULL_FLUSH })
const membersOf = (...members: TarMember[]) => Buffer.concat(members.map((member) => memberBlocks(member)))

/** The archive of these parts, each of them compressed as `pack` says. */
function archiveOf(parts: readonly Buffer[], pack = (part: Buffer) => flushed(part)): Buffer {
  const plain = Buffer.concat([...parts, END])
  return Buffer.concat([
    GZIP_BEGINNING,
    ...parts.map((part) => pack(part)),
    flushed(END),
    gzipEnd(crc32(plain), plain.length),
  ])
}

/** What the scan says of an archive, and which of its bytes it has read. */
async function scanned(archive: Buffer, begin = segmentedScans(DEFAULT_ARCHIVE_LIMITS)) {
  const scan = begin()
  let read = 0
  for (const segment of segmentsOf(archive)) {
    const digest = createHash('sha256').update(segment).digest('hex')
    await scan.add(digest, segment.length, () => {
      read += segment.length
      return Promise.resolve(segment)
    })
  }
  return { facts: scan.facts(), read }
}

const wholeScan = (archive: Buffer) => scanArchive(Readable.from([archive]), DEFAULT_ARCHIVE_LIMITS, never)

const first = membersOf({ name: 'a', data: 'one' }, { name: 'd/', type: '5' })
const second = membersOf({ name: 'd/b', data: 'two' }, { name: 'l', type: '2', linkName: '/etc/passwd' })
/** In more than one part, as a large file is. */
const large = membersOf({ name: 'large', data: randomBytes(300_000) })

describe('an archive of segments is the one that a scan of the whole finds', () => {
  test.each([
    { what: 'of some entries each', parts: [first, second] },
    { what: 'with a header that goes on in the next segment', parts: [first.subarray(0, 100), first.subarray(100)] },
    { what: 'with a file of several segments', parts: [first, large.subarray(0, 200_000), large.subarray(200_000)] },
    { what: 'with names that are not canonical', parts: [membersOf({ name: './a', data: 'x' })] },
    {
      what: 'with a mark within compressed data, by chance',
      parts: [
        membersOf({
          name: 'f',
          data: Buffer.concat([randomBytes(999), Buffer.from('0000ffff', 'hex'), randomBytes(999)]),
        }),
      ],
    },
  ])('$what', async ({ parts }) => {
    const archive = archiveOf(parts)
    const { facts } = await scanned(archive)
    expect(facts).toStrictEqual(await wholeScan(archive))
  })
})

test('a segment that was scanned before is not read again', async () => {
  const begin = segmentedScans(DEFAULT_ARCHIVE_LIMITS)
  await scanned(archiveOf([first, second]), begin)
  const changed = membersOf({ name: 'd/b', data: 'changed' })
  const { facts, read } = await scanned(archiveOf([first, changed]), begin)
  expect(facts).toMatchObject({ entries: 3 })
  expect(read).toBe(flushed(changed).length)
})

test('a segment that is known at one position is scanned anew at another', async () => {
  const begin = segmentedScans(DEFAULT_ARCHIVE_LIMITS)
  await scanned(archiveOf([first, second]), begin)
  // Here the bytes of the second part are the content of a file, and what it names does not exist.
  const header = membersOf({ name: 'file', data: second }).subarray(0, 512)
  const archive = archiveOf([header, second])
  expect((await scanned(archive, begin)).facts).toStrictEqual(await wholeScan(archive))
})

describe('nothing is said of an archive that only a scan of the whole can judge', () => {
  const independent = archiveOf([first, second])
  const plain = Buffer.concat([first, second, END])
  test.each([
    { what: 'with a wrong checksum', archive: Buffer.concat([independent.subarray(0, -8), Buffer.alloc(8)]) },
    { what: 'with data behind its end', archive: Buffer.concat([independent, independent]) },
    { what: 'that is cut off', archive: independent.subarray(0, -10) },
    { what: 'without the usual beginning', archive: independent.subarray(GZIP_BEGINNING.length) },
    {
      what: 'of which a part refers to another one',
      archive: Buffer.concat([
        GZIP_BEGINNING,
        deflateRawSync(Buffer.concat([first, second]), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(40),
        flushed(END),
        gzipEnd(crc32(plain), plain.length),
      ]),
    },
    { what: 'with an entry that is refused', archive: archiveOf([membersOf({ name: '../a', data: 'x' })]) },
    {
      what: 'with a segment that unpacks to very much',
      archive: archiveOf([membersOf({ name: 'z', data: Buffer.alloc(9_000_000) })]),
    },
    {
      what: 'with a part that takes the next one for its own content',
      // A stored block that is longer than the segment which it begins in.
      archive: archiveOf([first, second], (part) =>
        part === first
          ? Buffer.concat([Buffer.from([0, 24, 0, 0xe7, 0xff]), Buffer.from([0, 0, 0xff, 0xff])])
          : flushed(part),
      ),
    },
  ])('$what', async ({ archive }) => {
    expect((await scanned(archive)).facts).toBeUndefined()
  })
})
