import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { canonicalArchive } from '../../../isolation/archive/canonical-archive.js'
import { chooseCompressor } from '../../../isolation/archive/compressor.js'
import { scanArchive } from '../../../isolation/archive/scan.js'
import { temporaryDirectory } from '../../daemon/store/temporary-directory.js'
import { collect } from '../../support/collect.js'
import { TEST_LIMITS } from '../../support/test-limits.js'
import { tarOf, type TarMember } from '../../support/tar-builder.js'

const signal = new AbortController().signal
const compressor = await chooseCompressor()

/** In chunks whose length is not a multiple of the block size, as from a pipe. */
function chunksOf(bytes: Buffer, length = 333): Readable {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += length) pieces.push(bytes.subarray(at, at + length))
  return Readable.from(pieces, { objectMode: false })
}

const isCanonical = async (archive: Buffer) => (await scanArchive(chunksOf(archive), TEST_LIMITS, signal)).canonical

/** The same archive with canonical names, uncompressed. */
const rewritten = async (archive: Buffer, compression: 'none' | 'gzip' | 'xz' = 'none') =>
  gunzipSync(
    await collect(await canonicalArchive(chunksOf(archive), compression, { limits: TEST_LIMITS, compressor, signal })),
  )

/** What `tar --list --verbose` says of each entry, without the time. */
const listed = (archive: Buffer) =>
  execFileSync('tar', ['--list', '--verbose', '--numeric-owner', '--quoting-style=literal'], {
    input: archive,
    encoding: 'latin1',
  })
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^(\S)\S+ +(\S+) +(\d+) \S+ \S+ /, '$1 $3 '))

const long = `${'d'.repeat(80)}/${'f'.repeat(90)}`
/** As GNU tar writes a name of more than 100 bytes. */
const gnuLong = (type: 'L' | 'K', name: string): TarMember => ({ name: '././@LongLink', type, data: `${name}\0` })

const cases: readonly {
  readonly what: string
  readonly members: readonly TarMember[]
  readonly names: readonly string[]
}[] = [
  {
    what: 'names from the current directory, and its root',
    members: [
      { name: './', type: '5' },
      { name: './app/', type: '5' },
      { name: './app/x', data: 'xyz' },
    ],
    names: ['d 0 app/', '- 3 app/x'],
  },
  { what: 'absolute names', members: [{ name: '/app/x', data: 'x' }], names: ['- 1 app/x'] },
  {
    what: 'doubled slashes and dots within',
    members: [
      { name: 'app//a/./b', data: 'x' },
      { name: 'app/./', type: '5' },
    ],
    names: ['- 1 app/a/b', 'd 0 app/'],
  },
  {
    what: 'targets of hard links, and never of symbolic links',
    members: [
      { name: 'a', data: 'x' },
      { name: 'b', type: '1', linkName: './a' },
      { name: 'c', type: '2', linkName: './a' },
    ],
    names: ['- 1 a', 'h 0 b link to a', 'l 0 c -> ./a'],
  },
  {
    what: 'records of extended headers',
    members: [
      { name: 'short', pax: { path: `./${long}`, mtime: '1.5', 'SCHILY.xattr.user.a': './kept' }, data: 'x' },
      { name: 'link', type: '1', pax: { linkpath: `.//${long}` } },
      { name: 'soft', type: '2', pax: { linkpath: `./${long}` } },
    ],
    names: [`- 1 ${long}`, `h 0 link link to ${long}`, `l 0 soft -> ./${long}`],
  },
  {
    what: 'GNU long names',
    members: [
      gnuLong('L', `./${long}`),
      { name: `./${long}`.slice(0, 100), data: 'x' },
      gnuLong('K', `./${long}`),
      { name: 'link', type: '1', linkName: `./${long}`.slice(0, 100) },
    ],
    names: [`- 1 ${long}`, `h 0 link link to ${long}`],
  },
  {
    what: 'a directory of an old archive, which only its slash marks',
    members: [{ name: './dir/', type: '\0' }, { name: './dir/x' }],
    names: ['d 0 dir/', '- 0 dir/x'],
  },
  {
    what: 'a global header, which stays',
    members: [
      { name: 'g', type: 'g', data: '16 comment=1234\n' },
      { name: './a', data: 'x' },
    ],
    names: ['- 1 a'],
  },
]

describe('canonical names replace', () => {
  test.each(cases)('$what', async ({ members, names }) => {
    const archive = tarOf(...members)
    expect(await isCanonical(archive)).toBe(false)
    const result = await rewritten(archive)
    expect(listed(result)).toEqual(names)
    expect(await isCanonical(result)).toBe(true)
  })

  test('names of any bytes', async () => {
    const result = await rewritten(tarOf({ name: './a\xff\x01b', data: 'x' }))
    expect(result).toEqual(tarOf({ name: 'a\xff\x01b', data: 'x' }))
  })
})

describe('an archive is canonical', () => {
  test.each<[string, readonly TarMember[]]>([
    [
      'as the client packs it',
      [
        { name: 'app/', type: '5' },
        { name: 'app/x', data: 'x' },
      ],
    ],
    [
      'with directories without a slash',
      [
        { name: 'app', type: '5' },
        { name: 'app/x', data: 'x' },
      ],
    ],
    ['with a link that points outside', [{ name: 'a', type: '2', linkName: '/../x' }]],
    ['that has nothing but its root', [{ name: './', type: '5' }]],
  ])('%s', async (_what, members) => {
    expect(await isCanonical(tarOf(...members))).toBe(true)
  })
})

describe('everything else stays', () => {
  test('byte for byte', async () => {
    const kept = { mode: 0o4711, uid: 99, gid: 100, mtime: -5, pax: { 'SCHILY.xattr.user.a': 'b', mtime: '-4.25' } }
    const data = 'x'.repeat(100_000)
    expect(await rewritten(tarOf({ name: './a', data, ...kept }, { name: 'b', data: 'y' }))).toEqual(
      tarOf({ name: 'a', data, ...kept }, { name: 'b', data: 'y' }),
    )
  })

  test.each(['gzip', 'xz'] as const)('whatever the compression, here %s', async (program) => {
    const archive = execFileSync(program, ['-c'], { input: tarOf({ name: './a', data: 'x' }) })
    expect(await rewritten(archive, program)).toEqual(tarOf({ name: 'a', data: 'x' }))
  })
})

describe('what the common client packs', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  beforeEach(async () => {
    directory = await temporaryDirectory()
    const app = join(directory.path, 'source/app/sub')
    mkdirSync(join(app, 'n'.repeat(60)), { recursive: true })
    writeFileSync(join(app, 'file'), 'content')
    writeFileSync(join(app, 'n'.repeat(60), 'é'.repeat(60)), 'long')
    writeFileSync(join(app, 'n'.repeat(60), 'f'.repeat(60)), 'split')
    symlinkSync('../sub/file', join(app, 'soft'))
    execFileSync('ln', [join(app, 'file'), join(app, 'hard')])
    execFileSync('truncate', ['--size=1M', join(app, 'sparse')])
  })
  afterEach(() => directory.remove())

  test.each(['gnu', 'oldgnu', 'pax', 'ustar'])('in the format %s is unpacked by the next stager', async (format) => {
    // ustar cannot hold the long name.
    const exclude = format === 'ustar' ? [`--exclude=${'é'.repeat(60)}`] : ['--sparse']
    const options = [`--format=${format}`, ...exclude, '-cf', '-', '.']
    const packed = execFileSync('tar', options, { cwd: join(directory.path, 'source'), maxBuffer: 2 ** 24 })
    expect(await isCanonical(packed)).toBe(false)
    const out = join(directory.path, 'out')
    mkdirSync(out)
    execFileSync('tar', ['-x', '--strip-components=1', 'app'], { cwd: out, input: await rewritten(packed) })
    const files = (tree: string) => (readdirSync(tree, { recursive: true }) as string[]).sort()
    expect(files(out)).toEqual(
      files(join(directory.path, 'source/app')).filter((name) => format !== 'ustar' || !name.includes('é')),
    )
    expect(readFileSync(join(out, 'sub/hard'), 'utf8')).toBe('content')
    expect(readFileSync(join(out, 'sub/sparse')).equals(Buffer.alloc(1024 ** 2))).toBe(true)
  })
})

test('an error of the source becomes an error of the result', async () => {
  const source = new Readable({
    read() {
      this.push(tarOf({ name: './f', data: 'x'.repeat(2000) }).subarray(0, 1000))
      this.destroy(new Error('the disk failed'))
    },
  })
  const options = { limits: TEST_LIMITS, compressor, signal }
  await expect(canonicalArchive(source, 'none', options).then(collect)).rejects.toThrow('the disk failed')
})
