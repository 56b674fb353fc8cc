import { execFileSync } from 'node:child_process'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { StagerdError } from '../../../base/errors.js'
import { scanArchive } from '../../../isolation/archive/scan.js'
import { DEFAULT_ARCHIVE_LIMITS } from '../../../isolation/archive/limits.js'
import { TarFollower } from '../../../isolation/archive/tar-follower.js'
import { REFUSED_ARCHIVES, TEST_LIMITS } from '../../support/refused-archives.js'
import { END, memberBlocks, tarOf, type TarMember } from '../../support/tar-builder.js'

const never = new AbortController().signal

/** In pieces of an awkward length, as a network delivers them. */
function arriving(bytes: Buffer, pieceLength = 333): Readable {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += pieceLength) pieces.push(bytes.subarray(at, at + pieceLength))
  return Readable.from(pieces, { objectMode: false })
}

describe('an archive is refused while it comes in', () => {
  test.each(REFUSED_ARCHIVES)('$what', async ({ archive, code, names }) => {
    const error: unknown = await scanArchive(arriving(archive), TEST_LIMITS, never).then(
      (summary) => summary,
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(StagerdError)
    expect(error).toMatchObject({ code })
    if (names !== undefined) expect((error as Error).message).toContain(names)
  })

  test('a bomb by ratio, long before it has gone off', async () => {
    const zeros = { name: 'zeros', data: Buffer.alloc(300 * 1024 * 1024) }
    const bomb = execFileSync('zstd', ['-c'], { input: tarOf(zeros), maxBuffer: 1024 ** 3 })
    expect(bomb.length).toBeLessThan(100_000)
    await expect(scanArchive(arriving(bomb), DEFAULT_ARCHIVE_LIMITS, never)).rejects.toMatchObject({
      code: 'archive-too-large',
    })
  })

  test.each(['gzip', 'bzip2', 'xz', 'zstd'])('garbage behind the end of %s data', async (program) => {
    const sound = execFileSync(program, ['-c'], { input: tarOf({ name: 'f', data: 'x' }) })
    const archive = Buffer.concat([sound, Buffer.alloc(700, 'garbage')])
    await expect(scanArchive(arriving(archive), TEST_LIMITS, never)).rejects.toMatchObject({ code: 'archive-corrupt' })
  })
})

describe('an archive is let in', () => {
  const sound: readonly { what: string; members: readonly TarMember[] }[] = [
    { what: 'full paths from the root, as the seed asks for', members: [{ name: '/app/index.html', data: 'hi' }] },
    {
      what: 'paths from the current directory',
      members: [
        { name: './', type: '5' },
        { name: './app/x', data: 'x' },
      ],
    },
    {
      what: 'symbolic links that are absolute, dangling, looping or lead out',
      members: ['/etc/passwd', 'nowhere', 'd', '../../../..'].map((linkName, index) => ({
        name: 'abcd'[index]!,
        type: '2',
        linkName,
      })),
    },
    {
      what: 'hard links to earlier files',
      members: [
        { name: 'a', data: 'x' },
        { name: 'b', type: '1', linkName: './a' },
        { name: 'c', type: '1', linkName: '/b' },
      ],
    },
    {
      what: 'names with a newline, an escape and bytes that are no UTF-8',
      members: [{ name: 'a\n\x1b[31m\xff', data: '' }],
    },
    { what: 'a name of 255 bytes', members: [{ name: 'x', pax: { path: 'n'.repeat(255) } }] },
    {
      what: 'a file twice, the later one counting',
      members: [
        { name: 'a', data: '1' },
        { name: 'a', data: '2' },
      ],
    },
    { what: 'a size in the extended header too', members: [{ name: 'a', data: 'abc', pax: { size: '3' } }] },
    {
      what: 'file capabilities, which are left out later',
      members: [{ name: 'ping', pax: { 'SCHILY.xattr.security.capability': '\x01' } }],
    },
    {
      what: 'a comment for the whole of it',
      members: [{ name: 'g', type: 'g', data: '16 comment=1234\n' }, { name: 'a' }],
    },
    { what: 'directories of old archives', members: [{ name: 'dir/', type: '\0' }] },
    { what: 'a time before 1970', members: [{ name: 'a', mtime: -1 }] },
  ]

  test.each(sound)('$what', async ({ members }) => {
    const archive = tarOf(...members)
    const entries = members.filter(({ type }) => type !== 'g').length
    await expect(scanArchive(arriving(archive), TEST_LIMITS, never)).resolves.toEqual({
      compression: 'none',
      entries,
      bytes: archive.length,
    })
  })

  test.each(['gzip', 'bzip2', 'xz', 'zstd'] as const)('compressed by %s, told by its content', async (program) => {
    const tar = tarOf({ name: 'f', data: 'x'.repeat(100_000) })
    const archive = execFileSync(program, ['-c'], { input: tar })
    await expect(scanArchive(arriving(archive, 1), TEST_LIMITS, never)).resolves.toEqual({
      compression: program,
      entries: 1,
      bytes: tar.length,
    })
  })

  test('padded with zeros behind its end, as tar pads its records', async () => {
    const archive = Buffer.concat([memberBlocks({ name: 'f' }), END, Buffer.alloc(9000)])
    await expect(scanArchive(arriving(archive), TEST_LIMITS, never)).resolves.toMatchObject({ entries: 1 })
  })
})

test.each([
  { what: 'in an extended header', stated: { size: 0, pax: { size: String(9 * 1024 ** 3) } } },
  { what: "in GNU's base 256", stated: { size: 9 * 1024 ** 3 } },
])('a length past 8 GiB, which octal digits cannot state, $what', ({ stated }) => {
  const follower = new TarFollower(DEFAULT_ARCHIVE_LIMITS)
  follower.push(memberBlocks({ name: 'long', ...stated }))
  const zeros = Buffer.alloc(1024 ** 2)
  for (let left = 9 * 1024; left > 0; left--) follower.push(zeros)
  follower.push(memberBlocks({ name: 'next' }))
  follower.push(END)
  follower.finish()
  expect([...follower.ledger.paths.keys()]).toEqual(['long', 'next'])
})

describe('a scan ends with its source', () => {
  test('an error of the source is the error of the scan', async () => {
    const source = new Readable({
      read() {
        this.push(gzipSync(tarOf({ name: 'f' })).subarray(0, 20))
        this.destroy(new Error('the client went away'))
      },
    })
    await expect(scanArchive(source, TEST_LIMITS, never)).rejects.toThrow('the client went away')
  })

  test('an abort ends it, and what it read from', async () => {
    const controller = new AbortController()
    const source = new Readable({ read: () => undefined })
    source.push(gzipSync(tarOf({ name: 'f' })).subarray(0, 20))
    const scan = scanArchive(source, TEST_LIMITS, controller.signal)
    controller.abort(new Error('enough'))
    await expect(scan).rejects.toThrow()
    expect(source.destroyed).toBe(true)
  })
})
