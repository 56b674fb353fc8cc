import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DEFAULT_ARCHIVE_LIMITS } from '../../../isolation/archive/limits.js'
import { unpackArchive } from '../../../isolation/archive/unpack.js'
import { TEST_LIMITS } from '../../support/test-limits.js'
import { tarOf, type TarMember } from '../../support/tar-builder.js'
import { at, describeTree, makeTree } from '../../support/trees.js'

const never = new AbortController().signal
let place: string
let tree: string
let canary: Record<string, string>

/**
 *   place/
 *   ├── canary, escaped?   reached only by an archive that escapes
 *   └── tree/              the target directory
 */
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'stagerd-test-'))
  tree = join(place, 'tree')
  makeTree(place, { canary: { directory: true }, 'canary/passwd': { file: 'untouched', mtime: '1000000000.5' } })
  mkdirSync(tree)
  canary = describeTree(join(place, 'canary'))
})

afterEach(() => rmSync(place, { recursive: true, force: true }))

const unpack = (archive: Buffer, whiteouts: string[] = [], limits = TEST_LIMITS) =>
  unpackArchive(Readable.from([archive]), { directory: tree, limits, whiteouts, signal: never })

function expectNothingOutside(): void {
  expect(readdirSync(place).sort()).toEqual(['canary', 'tree'])
  expect(describeTree(join(place, 'canary'))).toEqual(canary)
}

describe('the tree matches the archive', () => {
  const mtime = 1_000_000_000
  const cases: readonly { what: string; members: readonly TarMember[]; tree: Record<string, string> }[] = [
    {
      what: 'absolute names are relative to the root of the package',
      members: [{ name: '/etc/passwd', data: 'mine', mtime }],
      tree: { etc: 'directory 755 0:0 0', 'etc/passwd': 'file 644 0:0 1000000000000000000 4 ' },
    },
    {
      what: 'symbolic links are kept unchanged and never followed',
      members: [
        { name: 'absolute', type: '2', linkName: '/etc/passwd', mtime },
        { name: 'dangling', type: '2', linkName: 'nowhere', mtime },
        { name: 'loop', type: '2', linkName: 'loop', mtime },
        { name: 'out', type: '2', linkName: '../canary', mtime },
      ],
      tree: {
        absolute: 'symlink 777 0:0 1000000000000000000 -> /etc/passwd',
        dangling: 'symlink 777 0:0 1000000000000000000 -> nowhere',
        loop: 'symlink 777 0:0 1000000000000000000 -> loop',
        out: 'symlink 777 0:0 1000000000000000000 -> ../canary',
      },
    },
    {
      what: 'owners are numeric; setuid and sticky bits are kept',
      members: [
        { name: 'su', mode: 0o4755, uid: 0, gid: 99, mtime },
        { name: 'drop/', type: '5', mode: 0o3777, uid: 12345, gid: 2 ** 31 - 1, mtime },
        { name: 'closed', mode: 0, uid: 99, gid: 99, mtime },
      ],
      tree: {
        closed: 'file 0 99:99 1000000000000000000 0 ',
        drop: 'directory 3777 12345:2147483647 1000000000000000000',
        su: 'file 4755 0:99 1000000000000000000 0 ',
      },
    },
    {
      what: 'times are kept in nanoseconds, also of directories',
      members: [
        { name: 'd/', type: '5', mtime, pax: { mtime: '1000000000.123456789' } },
        { name: 'd/f', mtime, pax: { mtime: '1000000001.987654321' } },
      ],
      tree: { d: 'directory 755 0:0 1000000000123456789', 'd/f': 'file 644 0:0 1000000001987654321 0 ' },
    },
    {
      what: 'times before 1970 and after 2242 are kept',
      members: [
        { name: 'early', pax: { mtime: '-1.5' } },
        { name: 'late', pax: { mtime: '9000000000.25' } },
      ],
      tree: { early: 'file 644 0:0 -1500000000 0 ', late: 'file 644 0:0 9000000000250000000 0 ' },
    },
    {
      what: 'user attributes are kept, others are dropped',
      members: [
        {
          name: 'f',
          mtime,
          pax: {
            'SCHILY.xattr.user.note': 'kept',
            'SCHILY.xattr.security.capability': '\x01\0\0\x02',
            'RHT.security.selinux': 'x',
          },
        },
      ],
      tree: { f: 'file 644 0:0 1000000000000000000 user.note="kept" 0 ' },
    },
    {
      what: 'the later of two files with the same name wins',
      members: [
        { name: 'f', data: 'old', mtime },
        { name: 'f', data: 'newer', mtime },
      ],
      tree: { f: 'file 644 0:0 1000000000000000000 5 ' },
    },
    {
      what: 'directories without an entry have a fixed time, and /tmp is writable for all',
      members: [
        { name: './', type: '5', mode: 0o700, uid: 1000, mtime },
        { name: 'tmp/x', mtime },
        { name: 'opt/y', mtime },
      ],
      tree: {
        opt: 'directory 755 0:0 0',
        'opt/y': 'file 644 0:0 1000000000000000000 0 ',
        tmp: 'directory 1777 0:0 0',
        'tmp/x': 'file 644 0:0 1000000000000000000 0 ',
      },
    },
  ]

  test.each(cases)('$what', async ({ members, tree: expected }) => {
    await unpack(tarOf(...members))
    const made = Object.entries(describeTree(tree)).map(([path, text]) => [path, text.replace(/#.*/, '')])
    expect(Object.fromEntries(made)).toEqual(expected)
    expectNothingOutside()
  })

  test('names with a newline, an escape and invalid UTF-8 are kept byte for byte', async () => {
    const names = ['a\nb', '\x1b[31mred', 'latin-\xe9', '\xff\xfe', '-rf', 'n'.repeat(255), ' ', "'quoted'", '\\n', '*']
    await unpack(tarOf(...names.map((name) => ({ name: 'x', data: '', pax: { path: name } }))))
    expect(Object.keys(describeTree(tree))).toEqual(names.sort())
    execFileSync('rm', ['-rf', tree])
  })

  test('whiteouts are created where nothing was unpacked, and change no time', async () => {
    const archive = tarOf({ name: 'd/', type: '5', mtime }, { name: 'd/there', mtime })
    await unpack(archive, ['d/gone', 'd/there', 'elsewhere/gone'])
    expect(describeTree(tree)).toMatchObject({
      d: 'directory 755 0:0 1000000000000000000',
      'd/gone': 'other 20000 0',
      'd/there': expect.stringContaining('file') as string,
      elsewhere: 'directory 755 0:0 0',
      'elsewhere/gone': 'other 20000 0',
    })
  })

  test('a sparse file of 1 TiB stays sparse', async () => {
    makeTree(place, { sparse: { directory: true }, 'sparse/hole': { hole: 1024 ** 4 } })
    const archive = execFileSync('tar', ['-C', join(place, 'sparse'), '-cS', '--format=pax', 'hole'])
    rmSync(join(place, 'sparse'), { recursive: true })
    await unpack(archive, [], DEFAULT_ARCHIVE_LIMITS)
    expect(describeTree(tree)['hole']).toContain(String(1024 ** 4))
    expect(execFileSync('du', ['-k', at(tree, 'hole').toString()], { encoding: 'utf8' })).toMatch(/^[0-4]\s/)
  })
})

test('an archive that ends with a tar record boundary is read to its end', async () => {
  // Twenty blocks: a header, sixteen blocks of content, a header and the end. tar exits when it has read them.
  const archive = tarOf({ name: 'f', data: 'x'.repeat(8192) }, { name: 'g' })
  expect(archive).toHaveLength(10_240)
  async function* reluctantly(): AsyncGenerator<Buffer> {
    yield archive
    await delay(500)
  }
  const compressed = Readable.from(reluctantly(), { objectMode: false })
  const { paths } = await unpackArchive(compressed, { directory: tree, limits: TEST_LIMITS, signal: never })
  expect([...paths.keys()]).toEqual(['f', 'g'])
})

test('an abort ends unpacking at once', async () => {
  const controller = new AbortController()
  const endless = new Readable({ read: () => undefined })
  endless.push(tarOf({ name: 'f', data: Buffer.alloc(100_000) }).subarray(0, 50_000))
  const work = unpackArchive(endless, { directory: tree, limits: TEST_LIMITS, signal: controller.signal })
  setImmediate(() => controller.abort(new Error('enough')))
  await expect(work).rejects.toThrow('enough')
  expect(endless.destroyed).toBe(true)
})
