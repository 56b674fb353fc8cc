import { execFileSync } from 'node:child_process'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BELOW } from '../support/below.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'
import { groundTruth, type GroundTruth } from '../support/ground-truth.js'
import { tarOfCopies } from '../support/tree-tarball.js'
import type { FileOperation } from '../support/file-operations.js'
import { WorkingStager } from '../support/working-stager.js'
import { listTar } from '../support/list-tar.js'

const ACL = '0200000001000600ffffffff020006000700000004000400ffffffff10000600ffffffff20000000ffffffff'
const CAPABILITY = '0100000200040000000000000000000000000000'
const bytes = (hex: string) => Buffer.from(hex, 'hex').toString('latin1')
const ODD_NAMES = [
  '\n',
  '\xff',
  'a\nb\xe9',
  '-rf',
  '--',
  ' ',
  'n'.repeat(255),
  '\\',
  '"',
  '%41',
  '[x]*',
  '.wh',
  '.wh-x',
]

/** Paths relative to the directory of the case. */
type Case = readonly FileOperation[]

const CASES: Readonly<Record<string, Case>> = {
  'no change': [],
  'a file added, changed and removed': [
    ['overwrite', 'etc/new', 'new'],
    ['overwrite', 'etc/conf', 'changed'],
    ['remove', 'etc/other'],
  ],
  'a directory removed': [['remove', 'opt']],
  'a directory removed and created again': [
    ['remake', 'opt/app'],
    ['overwrite', 'opt/app/two', 'new two'],
  ],
  'a directory removed, created again, and removed': [
    ['remake', 'opt/app'],
    ['remove', 'opt/app'],
  ],
  'a file replaced by a directory, and a directory by a file': [
    ['remake', 'etc/conf'],
    ['overwrite', 'etc/conf/inner', ''],
    ['remove', 'opt/app'],
    ['overwrite', 'opt/app', 'a file now'],
  ],
  'a file replaced by a directory and back': [
    ['remake', 'etc/conf'],
    ['overwrite', 'etc/conf/inner', ''],
    ['remove', 'etc/conf'],
    ['overwrite', 'etc/conf', 'a file again'],
  ],
  'a link replaced by a directory, and a directory by a link': [
    ['remake', 'bin'],
    ['remove', 'opt'],
    ['symlink', 'opt', '/etc/passwd'],
  ],
  'directories renamed, which mv does by copying on overlayfs': [
    ['move', 'opt/app', 'opt/renamed'],
    ['mkdir', 'new'],
    ['overwrite', 'new/f', 'f'],
    ['rename', 'new', 'renamed'],
    ['rename', 'linked', 'renamed-file'],
  ],
  'two files exchanged': [['exchange', 'etc/conf', 'opt/app/one']],
  'only permissions, with setuid, setgid and sticky bits': [
    ['chmod', 'etc/conf', 0o4711],
    ['chmod', 'opt', 0o1777],
    ['chmod', 'opt/app', 0o2700],
    ['chmod', 'opt/app/one', 0],
  ],
  'only owners': [
    ['chown', 'opt/app/one', 99, 99],
    ['chown', 'opt', 2 ** 31 - 1, 0],
    ['chown', 'bin', 1, 2],
  ],
  'only times, in nanoseconds': [
    ['touch', 'opt/app/two', 1234567890, 123456789],
    ['touch', 'opt/app/deep', 1, 1],
    ['touch', 'etc', -1, 999999999],
    ['touch', 'bin', 2 ** 34 - 2 ** 31 - 1, 1],
  ],
  'hard links among new files, and to a file of a lower layer': [
    ['overwrite', 'first', 'x'],
    ['link', 'first', 'opt/second'],
    ['link', 'etc/conf', 'opt/conf-too'],
    ['link', 'linked', 'linked3'],
  ],
  'one of two hard links of a lower layer changed': [['write', 'linked2', 2, 'XX']],
  'hard links of symbolic links': [
    ['symlink', 's', 'target'],
    ['link', 's', 'also-s'],
    ['copy-links', 'opt', 'copy'],
  ],
  'symbolic links of every kind': [
    ['symlink', 'dangling', 'nowhere'],
    ['symlink', 'absolute', '/etc/passwd'],
    ['symlink', 'itself', 'itself'],
    ['symlink', 'up', '../../../../..'],
    ['symlink', 'long', 't/'.repeat(2047)],
    ['symlink', 'odd', '\n\xff -> \\'],
  ],
  'files with holes': [
    ['truncate', 'hole', 200_000_000],
    ['write', 'hole-in-front', 10_000_000, 'end'],
    ['write', 'two-holes', 5_000_000, 'middle'],
    ['truncate', 'two-holes', 10_000_000],
    ['truncate', 'etc/conf', 1_000_000],
  ],
  'a file of one tebibyte, sparse': [
    ['write', 'huge', 2 ** 39, 'middle'],
    ['truncate', 'huge', 2 ** 40],
    ['truncate', 'all-hole', 2 ** 40],
  ],
  'a file past 8 GiB, with data at both ends': [
    ['overwrite', 'large', 'begin'],
    ['write', 'large', 9 * 2 ** 30, 'end'],
  ],
  'names with any bytes': ODD_NAMES.flatMap((name): FileOperation[] => [
    ['overwrite', name, name],
    ['mkdir', `etc/${name}`],
    ['overwrite', `etc/${name}/${name}`, name],
  ]),
  'user attributes': [
    ['attribute', 'etc/other', 'user.note', 'high\0\n"='],
    ['attribute', 'opt', 'user.empty', ''],
    ['attribute', 'etc/conf', 'user.a=b%', 'x'.repeat(3000)],
    ['overwrite', 'etc/new', ''],
    ['attribute', 'etc/new', 'user.\xfc', 'new'],
  ],
  'user attributes removed': [['no-attribute', 'etc/other', 'user.note']],
  'ACLs and capabilities, which are dropped: the rest of the file is kept': [
    ['attribute', 'etc/conf', 'system.posix_acl_access', bytes(ACL)],
    ['attribute', 'opt', 'system.posix_acl_default', bytes(ACL)],
    ['attribute', 'opt/app/one', 'security.capability', bytes(CAPABILITY)],
    ['overwrite', 'opt/new', 'under a default ACL'],
  ],
}

describe('LAW in a real container: layers and snapshot together show the same tree', () => {
  const names = Object.keys(CASES)
  const special = ['sockets', 'long', 'filter', 'exclude', 'cut off']
  const directories = [...names, ...special].map((_, index) => `/cases/${index}`)
  const directoryOf = (name: string) => directories[[...names, ...special].indexOf(name)]!
  let under: DockerIsolationUnderTest
  let stager: WorkingStager
  const launched: WorkingStager[] = []
  let below: GroundTruth

  beforeAll(async () => {
    under = await dockerIsolation()
    stager = await WorkingStager.launch(under, [under.resources.add('below', tarOfCopies(BELOW, directories))])
    launched.push(stager)
    below = groundTruth(stager.root + directories[0]!)
  })
  afterAll(async () => {
    for (const each of launched) await each.close()
    await under.close()
  })

  const two = new Set(['rename', 'exchange', 'move', 'copy', 'copy-links', 'link'])
  /** All operations must succeed: a case without an effect tests nothing. */
  const perform = async (directory: string, operations: Case) => {
    const within = operations.map(([name, first, ...more]): FileOperation => [
      name,
      `${directory}/${first}`,
      ...(two.has(name) ? [`${directory}/${more[0]}`] : more),
    ])
    expect(await stager.perform(within)).toEqual([])
  }

  test.each(names)('%s', async (name) => {
    const directory = directoryOf(name)
    await perform(directory, CASES[name]!)
    const taken = await stager.snapshot(directory, directory)
    const again = await stager.seenAgain(taken, directory)
    expect(again.entries).toEqual(taken.truth.entries)
    if (name !== 'no change') expect(again.entries).not.toEqual(below.entries)
    // Holes take no space, and attributes of overlayfs are never in the archive.
    expect(taken.written.length).toBeLessThan(200_000)
    const archive = gunzipSync(taken.written)
    expect(archive.includes('trusted.')).toBe(false)
    expect(archive.includes('overlay')).toBe(false)
  })

  test('sockets, named pipes and devices are skipped and counted, and what they replaced is removed', async () => {
    const directory = directoryOf('sockets')
    await perform(directory, [
      ['remove', 'etc/conf'],
      ['socket', 'etc/conf'],
      ['socket', 'new'],
      ['remove', 'opt/app/one'],
      ['fifo', 'opt/app/one'],
      ['fifo', 'pipe'],
      ['device', 'null', 'c', 0x103],
      ['device', 'loop', 'b', 0x700],
      ['remake', 'opt/app/deep'],
      ['fifo', 'opt/app/deep/three'],
    ])
    const taken = await stager.snapshot(directory, directory)
    expect(taken.truth).toMatchObject({ sockets: 2, special: 5 })
    expect(taken.leftOut).toEqual({ sockets: 2, special: 5 })
    const again = await stager.seenAgain(taken, directory)
    expect(again.entries).toEqual(taken.truth.entries)
    expect(Object.keys(again.entries)).not.toContain('etc/conf')
    expect(Object.keys(again.entries)).not.toContain('opt/app/one')
  })

  test('a path of 4095 bytes is kept, and a longer one is rejected', async () => {
    const directory = directoryOf('long')
    const chain = Array.from({ length: 15 }, () => 'd'.repeat(200))
    const left = () => 4095 - `${directory.slice(1)}/${chain.join('/')}/xyz`.length
    while (left() > 0) chain.push('e'.repeat(Math.min(left() - 1, 200)))
    expect(left()).toBe(0)
    expect(
      await stager.perform([
        ['descend', directory, ...chain],
        ['here', 'xyz', 'at the end'],
      ]),
    ).toEqual([])
    // `find`, because such a path is too long for a single call.
    const listed = (root: string) =>
      execFileSync(
        'find',
        ['.', '-printf', '\\n%y %m %U:%G %T@ %l %P\\n', '-type', 'f', '-execdir', 'cat', '{}', ';'],
        {
          cwd: root + directory,
          encoding: 'latin1',
        },
      )
        // A content has lines of its own: directories give their entries in another order on another filesystem.
        .split('\n')
        .sort()
    const taken = await stager.snapshotOf(directory, () => listed(stager.root))
    expect(taken.seen.some((line) => line.includes('at the end'))).toBe(true)
    expect(await stager.overlaid(taken, listed)).toEqual(taken.seen)

    expect(await stager.perform([['here', 'xyzw', '']])).toEqual([])
    await expect(stager.snapshot(directory, directory)).rejects.toMatchObject({
      code: 'path-too-long',
    })
    const without = await stager.snapshotOf(directory, () => [], [`${directory}/${chain[0]!}`])
    expect(without.entries).toBeLessThanOrEqual(2)
  })

  test('with a filter, everything else is as in the layers', async () => {
    const directory = directoryOf('filter')
    await perform(directory, [
      ['overwrite', 'opt/app/new', 'new'],
      ['remove', 'opt/app/one'],
      ['remake', 'opt/app/deep'],
      ['overwrite', 'opt/apple', 'a name that begins the same'],
      ['chmod', 'etc/conf', 0],
      ['remove', 'etc/other'],
    ])
    const taken = await stager.snapshot(`${directory}/opt/app`, directory)
    const again = await stager.seenAgain(taken, directory)
    const [inside, outside] = [/^opt\/app($|\/)/, /^(?!opt(\/app)?($|\/))|^opt\/apple/]
    expect(only(again, inside)).toEqual(only(taken.truth, inside))
    expect(only(again, outside)).toEqual(only(below, outside))
  })

  test('excluded paths are as in the layers, whatever was added, changed or removed there', async () => {
    const directory = directoryOf('exclude')
    await perform(directory, [
      ['overwrite', 'opt/app/new', 'new'],
      ['remove', 'opt/app/one'],
      ['remove', 'opt/app/deep'],
      ['remake', 'etc'],
      ['overwrite', 'linked', 'changed'],
      ['overwrite', 'opt/apple', 'a name that begins the same'],
    ])
    const taken = await stager.snapshot(directory, directory, [`${directory}/opt/app`, `${directory}/linked/`])
    const again = await stager.seenAgain(taken, directory)
    const [inside, outside] = [/^(opt\/app|linked)($|\/)/, /^(?!(opt\/app|linked)($|\/))/]
    expect(only(again, inside)).toEqual(only(below, inside))
    expect(only(again, outside)).toEqual(only(taken.truth, outside))
  })

  test('files that Docker injects into the root are no changes, even after operations on all files', async () => {
    const done: FileOperation[] = [
      ['chown', '/.dockerenv', 99, 99],
      ['chown', '/etc/mtab', 99, 99],
      ['chmod', '/etc/passwd', 0o600],
      ['remove', '/etc/group'],
    ]
    const everythingElse = async () => {
      const { removals, written } = await stager.snapshotOf(undefined, () => undefined, ['/cases'])
      const names = listTar(written, '--gzip').split('\n').slice(0, -1)
      return { names, removals }
    }
    const changes = {
      names: ['etc/', 'etc/passwd'],
      removals: [{ kind: 'removed', path: 'etc/group' }],
    }
    expect(await stager.perform(done)).toEqual([])
    expect(await everythingElse()).toEqual(changes)
    expect(
      await stager.perform([
        ['remove', '/.dockerenv'],
        ['remove', '/etc/mtab'],
      ]),
    ).toEqual([])
    expect(await everythingElse()).toEqual(changes)
  })

  test('a filtered directory in a directory that was removed and created again', async () => {
    const directory = directoryOf('cut off')
    await perform(directory, [
      ['remake', 'opt'],
      ['mkdir', 'opt/app'],
      ['fifo', 'opt/app/one'],
      ['overwrite', 'opt/app/two', 'new'],
    ])
    const taken = await stager.snapshot(`${directory}/opt/app`, directory)
    const again = await stager.seenAgain(taken, directory)
    expect(only(again, /^opt\/app($|\/)/)).toEqual(only(taken.truth, /^opt\/app($|\/)/))
  })
})

/** Without hard links, whose other names may be elsewhere. */
function only({ entries }: GroundTruth, paths: RegExp): Record<string, string> {
  const kept = Object.entries(entries).filter(([path]) => paths.test(path))
  return Object.fromEntries(kept.map(([path, line]) => [path, line.replace(/ same as .*/, '')]))
}
