import { execFileSync } from 'node:child_process'
import { truncateSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { DEFAULT_ARCHIVE_LIMITS } from '../../../isolation/archive/limits.js'
import { scanArchive } from '../../../isolation/archive/scan.js'
import { temporaryDirectory } from '../../daemon/store/temporary-directory.js'
import { tarOf, type TarMember } from '../../support/tar-builder.js'

const scan = (archive: Buffer, limits = DEFAULT_ARCHIVE_LIMITS) =>
  scanArchive(Readable.from([archive]), limits, new AbortController().signal)

const FORMATS = {
  'of old GNU tar': ['--format=gnu'],
  '0.0': ['--format=pax', '--sparse-version=0.0'],
  '0.1': ['--format=pax', '--sparse-version=0.1'],
  '1.0': ['--format=pax', '--sparse-version=1.0'],
}

describe.each(Object.entries(FORMATS))('a sparse file in the format %s, as GNU tar writes it', (_, format) => {
  /** More segments than the header and one block after it have in the old format. */
  test.each([0, 1, 4, 5, 60])('is accepted with %i segments', async (count) => {
    const temporary = await temporaryDirectory()
    const directory = temporary.path
    const file = join(directory, 'sparse')
    writeFileSync(file, '')
    truncateSync(file, 8 * 1024 ** 2 + 77)
    const handle = await open(file, 'r+')
    for (let index = 0; index < count; index++) await handle.write('data', 65536 * (index * 2 + 1) + 100)
    await handle.close()
    const archive = execFileSync('tar', ['-C', directory, '--create', '--sparse', ...format, 'sparse'], {
      maxBuffer: 64 * 1024 ** 2,
    })
    await temporary.remove()
    expect(await scan(archive)).toMatchObject({ entries: 1 })
    const limits = { ...DEFAULT_ARCHIVE_LIMITS, apparentBytes: 8 * 1024 ** 2 }
    await expect(scan(archive, limits)).rejects.toMatchObject({ code: 'archive-too-large' })
  })
})

/** In the format 0.1. */
const sparse = (map: readonly number[], { size = 1024, dataBytes = 512, count = map.length / 2 } = {}): TarMember => ({
  name: 'holes',
  data: 'x'.repeat(dataBytes),
  pax: { 'GNU.sparse.size': String(size), 'GNU.sparse.numblocks': String(count), 'GNU.sparse.map': map.join(',') },
})

/** In the format 1.0. */
const asText = (text: string, pax: Record<string, string> = {}): TarMember => ({
  name: 'holes',
  data: text.padEnd(1024, '\0'),
  pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '1024', ...pax },
})

describe('a sparse file is refused, by its name,', () => {
  const cases: readonly [what: string, member: TarMember, why: string][] = [
    ['that is longer than it says', sparse([0, 512, 1024 ** 4, 0]), 'ends at 1099511627776, and its size is 1024'],
    ['that is shorter than it says', sparse([0, 512]), 'ends at 512, and its size is 1024'],
    ['with more data than the archive has', sparse([0, 1024]), 'has 1024 bytes of data, and the archive 512'],
    ['with less data than the archive has', sparse([1024, 0]), 'has 0 bytes of data, and the archive 512'],
    ['whose segments overlap', sparse([512, 512, 0, 0]), 'not in ascending order'],
    ['with part of a block before its end', sparse([0, 100, 612, 412]), 'not a whole number of blocks'],
    ['whose map as text is cut off', asText(`999\n${'0\n0\n'.repeat(255)}`), 'is not complete'],
    ['whose map as text is no text', asText('one\n'), 'is not valid'],
    ['whose map as text has a number without an end', asText('9'.repeat(600)), 'is not valid'],
  ]
  test.each(cases)('%s', async (_, member, why) => {
    await expect(scan(tarOf(member, { name: 'next', data: 'next' }))).rejects.toMatchObject({
      code: 'archive-refused',
      message: expect.stringMatching(`^Entry "holes" is refused: .*${why}\\.$`) as string,
    })
  })

  const contradictions: readonly [what: string, member: TarMember][] = [
    ['of two formats', asText('1\n0\n512\n', { 'GNU.sparse.size': '1024' })],
    ['without its length', { name: 'a', data: '', pax: { 'GNU.sparse.numblocks': '0' } }],
    ['with fewer segments than it says', sparse([0, 512, 1024, 0], { count: 3 })],
    ['with an offset and no length', { name: 'a', data: '', paxList: [['GNU.sparse.offset', '0']] }],
    ['of an unknown format', asText('', { 'GNU.sparse.major': '2' })],
  ]
  test.each(contradictions)('with an extended header %s', async (_, member) => {
    await expect(scan(tarOf(member))).rejects.toMatchObject({
      code: 'archive-refused',
      message: expect.stringContaining('sparse file') as string,
    })
  })
})
