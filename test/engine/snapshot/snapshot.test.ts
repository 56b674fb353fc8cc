import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Deferred } from '../../../base/deferred.js'
import { DEFAULT_ARCHIVE_LIMITS } from '../../../isolation/archive/limits.js'
import { unpackArchive } from '../../../isolation/archive/unpack.js'
import { LayerDirectoryCache } from '../../../isolation/layers/layer-cache.js'
import { chooseCompressor, type Compressor } from '../../../isolation/archive/compressor.js'
import { takeSnapshot } from '../../../isolation/snapshot/snapshot.js'
import { collect } from '../../support/collect.js'
import { MemoryResources } from '../../support/memory-resources.js'
import { at, describeTree, linkGroups, makeTree } from '../../support/trees.js'
import { BELOW } from '../support/below.js'
import { OverlayScratch } from '../support/overlay.js'
import { listTar } from '../support/list-tar.js'

const never = new AbortController().signal
let scratch: OverlayScratch
let compressor: Compressor
let resources: MemoryResources
let lower: string
let merged: string
let upper: string

beforeEach(async () => {
  scratch = new OverlayScratch()
  resources = new MemoryResources()
  compressor = await chooseCompressor()
  lower = scratch.path('lower')
  makeTree(lower, BELOW)
  ;({ merged, upper } = scratch.mount([lower]))
})

afterEach(() => scratch.remove())

const snapshot = (directory?: string, exclude: readonly string[] = []) =>
  takeSnapshot({ upper, lowers: [lower], directory, exclude, compressor }, collect)
const inside = (path: string) => join(merged, path)
const list = (archive: Buffer) => listTar(archive, '--gzip').split('\n').slice(0, -1)

/** The law: the lower layer with the snapshot as a layer on top shows the same tree. */
async function seenAgain(taken: Awaited<ReturnType<typeof snapshot>>): Promise<string> {
  const directory = scratch.path('layers')
  const cache = await LayerDirectoryCache.open({ directory, resources })
  const source = { sha256: resources.add(taken.written), removals: taken.removals, name: 'snapshot' }
  const layer = await cache.materialise(source, never)
  return scratch.mount([join(directory, layer.relativePath), lower]).merged
}

test('an owner that packages do not allow is rejected', async () => {
  writeFileSync(inside('etc/new'), '')
  chownSync(inside('etc/new'), 2 ** 31, 0)
  await expect(snapshot()).rejects.toMatchObject({ code: 'bad-owner' })
  await expect(snapshot('/opt')).resolves.toBeDefined()
  rmSync(inside('etc/new'))
  execFileSync('mkfifo', [inside('pipe')])
  chownSync(inside('pipe'), 2 ** 31, 0)
  await expect(snapshot()).resolves.toMatchObject({ entries: 1 })
})

test('entries that packages do not allow are rejected at once, unless they are excluded', async () => {
  mkdirSync(inside('srv'))
  for (let file = 0; file < 17; file++) execFileSync('truncate', ['-s', '1T', inside(`srv/${file}`)])
  await expect(snapshot()).rejects.toMatchObject({ code: 'snapshot-too-large' })
  await expect(snapshot(undefined, ['/srv'])).resolves.toBeDefined()
})

test('hard links of a large file count once', async () => {
  execFileSync('truncate', ['-s', '10T', inside('long')])
  linkSync(inside('long'), inside('long-too'))
  await expect(snapshot()).resolves.toMatchObject({ entries: 2 })
})

describe('LAW: lower layers and snapshot together show the same tree as the container', () => {
  const cases: Readonly<Record<string, () => void>> = {
    'no change': () => undefined,
    'a file added, changed and removed': () => {
      writeFileSync(inside('etc/new'), 'new')
      writeFileSync(inside('etc/conf'), 'changed')
      rmSync(inside('etc/other'))
    },
    'a directory removed': () => rmSync(inside('opt'), { recursive: true }),
    'a directory removed and created again': () => {
      rmSync(inside('opt/app'), { recursive: true })
      mkdirSync(inside('opt/app'))
      writeFileSync(inside('opt/app/two'), 'new two')
    },
    'a file replaced by a directory, and a directory by a file': () => {
      rmSync(inside('etc/conf'))
      mkdirSync(inside('etc/conf'))
      writeFileSync(inside('etc/conf/inner'), '')
      rmSync(inside('opt/app'), { recursive: true })
      writeFileSync(inside('opt/app'), 'a file now')
    },
    'a link replaced by a directory, and a directory by a link': () => {
      rmSync(inside('bin'))
      mkdirSync(inside('bin'))
      rmSync(inside('opt'), { recursive: true })
      symlinkSync('/etc/passwd', inside('opt'))
    },
    'a directory renamed': () => execFileSync('mv', [inside('opt/app'), inside('opt/renamed')]),
    'only permissions, owners, times, setuid and sticky bits': () => {
      chmodSync(inside('etc/conf'), 0o4711)
      chmodSync(inside('opt'), 0o1777)
      chownSync(inside('opt/app/one'), 99, 99)
      execFileSync('touch', ['-d', '@1234567890.123456789', inside('opt/app/two'), inside('opt/app/deep')])
      utimesSync(inside('etc'), 1, 1)
    },
    'hard links among new files and to a file of the lower layer': () => {
      writeFileSync(inside('first'), 'x')
      linkSync(inside('first'), inside('opt/second'))
      linkSync(inside('etc/conf'), inside('opt/conf-too'))
      linkSync(inside('linked'), inside('linked3'))
    },
    'hard links of symbolic links, as by cp -al': () => {
      mkdirSync(inside('new'))
      symlinkSync('target', inside('new/s'))
      execFileSync('cp', ['-al', inside('new'), inside('copy')])
    },
    'user attributes': () => {
      execFileSync('setfattr', ['-n', 'user.note', '-v', 'high', inside('etc/other')])
      execFileSync('setfattr', ['-n', 'user.dir', '-v', 'a "b"', inside('opt')])
    },
    'names with any bytes': () => {
      const names = ['\n', '\xff', 'a\nb\xe9', '-rf', ' ', 'n'.repeat(255), '\\', '"', '%41', '[x]*']
      for (const name of names) writeFileSync(at(merged, name), name)
      mkdirSync(at(merged, 'dir\xff'))
      writeFileSync(at(merged, 'dir\xff/\n'), '')
    },
    'removals of names with any bytes': () => rmSync(inside('opt/app/deep'), { recursive: true }),
    'files with holes': () => {
      execFileSync('truncate', ['-s', '200M', inside('huge')])
      execFileSync('sh', ['-c', 'truncate -s 10M "$1"; printf end >> "$1"', 'sh', inside('holes')])
    },
    'paths that do not fit a tar header': () => {
      const deep = Array.from({ length: 12 }, () => 'd'.repeat(60)).join('/')
      mkdirSync(inside(deep), { recursive: true })
      writeFileSync(inside(`${deep}/f`), 'deep')
      symlinkSync('t'.repeat(300), inside(`${deep}/s`))
    },
  }

  test.each(Object.entries(cases))('%s', async (_, change) => {
    change()
    const taken = await snapshot()
    const again = await seenAgain(taken)
    expect(describeTree(again)).toEqual(describeTree(merged))
    const groups = linkGroups(merged).filter((group) => group.some((path) => list(taken.written).includes(path)))
    for (const group of groups) expect(linkGroups(again)).toContainEqual(group)
  })
})

test('the same tree gives the same bytes at any time', async () => {
  mkdirSync(inside('new'))
  for (let index = 0; index < 50; index++) writeFileSync(inside(`new/${index}`), String(index))
  execFileSync('truncate', ['-s', '1M', inside('new/sparse')])
  rmSync(inside('etc/conf'))
  const digests = await Promise.all(
    [1, 2, 3].map(async () =>
      createHash('sha256')
        .update((await snapshot()).written)
        .digest('hex'),
    ),
  )
  expect(new Set(digests).size).toBe(1)
})

test('a sparse file of a tebibyte takes no space in the archive, and is sparse when unpacked', async () => {
  execFileSync('truncate', ['-s', '1T', inside('huge')])
  const taken = await snapshot()
  expect(taken.written.length).toBeLessThan(10_000)
  const directory = scratch.path('unpacked')
  mkdirSync(directory)
  await unpackArchive(Readable.from([taken.written]), { directory, limits: DEFAULT_ARCHIVE_LIMITS, signal: never })
  expect(statSync(join(directory, 'huge'))).toMatchObject({ size: 1024 ** 4, blocks: 0 })
})

test('sockets, pipes and devices are skipped and counted; what they replaced is removed', async () => {
  rmSync(inside('etc/conf'))
  const server = createServer().listen(inside('etc/conf'))
  await new Promise((resolve) => server.once('listening', resolve))
  execFileSync('mkfifo', [inside('pipe')])
  execFileSync('mknod', [inside('null'), 'c', '1', '3'])
  const taken = await snapshot()
  server.close()
  expect(taken).toMatchObject({
    leftOut: { sockets: 1, special: 2 },
    entries: 1,
    removals: [{ kind: 'removed', path: 'etc/conf' }],
  })
  expect(list(taken.written)).toEqual(['etc/'])
})

test('only existing entries are recorded as removed: a new directory hides nothing', async () => {
  mkdirSync(inside('opt/new'))
  mkdirSync(inside('brand'))
  expect((await snapshot()).removals).toEqual([])
  const unaware = await takeSnapshot({ upper, compressor }, collect)
  expect(unaware.removals.every(({ kind }) => kind === 'opaque')).toBe(true)
})

test('a snapshot of a change to only the root directory is a valid archive', async () => {
  rmSync(inside('linked'))
  const taken = await snapshot()
  expect(taken.removals).toEqual([{ kind: 'removed', path: 'linked' }])
  expect(list(taken.written)).toEqual(['./'])
})

describe('an excluded path', () => {
  test('is as in the layers below, whatever was added, changed or removed there', async () => {
    writeFileSync(inside('opt/app/new'), 'new')
    rmSync(inside('opt/app/one'))
    rmSync(inside('etc'), { recursive: true })
    writeFileSync(inside('opt/apple'), 'a name that begins the same')
    const taken = await snapshot(undefined, ['/opt/app', '/etc/'])
    expect(list(taken.written)).toEqual(['opt/', 'opt/apple'])
    expect(taken.removals).toEqual([])
  })

  test('is also excluded with a directory filter', async () => {
    writeFileSync(inside('opt/app/new'), 'new')
    writeFileSync(inside('opt/app/deep/four'), 'four')
    const taken = await snapshot('/opt/app', ['/opt/app/deep'])
    expect(list(taken.written)).toEqual(['opt/', 'opt/app/', 'opt/app/new'])
  })

  test('must not lead out of the root', async () => {
    await expect(snapshot(undefined, ['../tmp'])).rejects.toMatchObject({ code: 'bad-directory' })
  })
})

describe('a directory filter', () => {
  test('includes the directory, everything below, and its parent directories', async () => {
    writeFileSync(inside('opt/app/new'), 'new')
    writeFileSync(inside('opt/beside'), 'beside')
    writeFileSync(inside('opt/apple'), 'a name that begins the same')
    writeFileSync(inside('etc/new'), 'elsewhere')
    rmSync(inside('opt/app/one'))
    rmSync(inside('etc/other'))
    const taken = await snapshot('/opt/app/')
    expect(list(taken.written)).toEqual(['opt/', 'opt/app/', 'opt/app/new'])
    expect(taken.removals).toEqual([{ kind: 'removed', path: 'opt/app/one' }])
  })

  test('of a directory that was removed with its parents is rejected: their attributes are gone', async () => {
    rmSync(inside('opt'), { recursive: true })
    await expect(snapshot('/opt/app')).rejects.toThrow('/opt" was removed too; name that, or create it again')
    expect((await snapshot('/opt')).removals).toEqual([{ kind: 'removed', path: 'opt' }])
  })

  test('of a directory in a directory that was created again', async () => {
    rmSync(inside('opt'), { recursive: true })
    mkdirSync(inside('opt'))
    expect((await snapshot('/opt/app')).removals).toEqual([{ kind: 'removed', path: 'opt/app' }])
    mkdirSync(inside('opt/app'))
    const taken = await snapshot('/opt/app')
    expect(taken.removals).toEqual([{ kind: 'opaque', path: 'opt/app' }])
    expect(list(taken.written)).toEqual(['opt/', 'opt/app/'])
  })

  test('of an unchanged directory gives an empty archive', async () => {
    writeFileSync(inside('etc/new'), 'elsewhere')
    const taken = await snapshot('/opt/app')
    expect(taken).toMatchObject({ entries: 0, removals: [] })
  })

  test('does not follow symbolic links', async () => {
    mkdirSync(inside('real'))
    writeFileSync(inside('real/f'), 'x')
    symlinkSync('/etc', inside('way'))
    symlinkSync('real', inside('near'))
    for (const path of ['/way/ssh', '/near/f'])
      await expect(snapshot(path)).rejects.toMatchObject({ code: 'bad-directory' })
    expect(list((await snapshot('/way')).written)).toEqual(['way'])
  })

  test.each(['opt/app', '/opt/./app', '/opt//app'])('%j is /opt/app', async (directory) => {
    writeFileSync(inside('opt/app/new'), 'new')
    writeFileSync(inside('etc/new'), 'elsewhere')
    expect(list((await snapshot(directory)).written)).toEqual(['opt/', 'opt/app/', 'opt/app/new'])
  })

  test('that the program has removed holds the removal', async () => {
    rmSync(inside('opt/app'), { recursive: true })
    expect(await snapshot('/opt/app')).toMatchObject({ removals: [{ kind: 'removed', path: 'opt/app' }] })
  })

  test.each(['', '/opt/../etc', '/a\0b', '/opt/gone', '/gone/app', '/proc', '/proc/self', '/stagerfs/opt', '/dev/shm'])(
    '%j is rejected',
    async (directory) => {
      await expect(snapshot(directory)).rejects.toMatchObject({ code: 'bad-directory' })
    },
  )
})

describe('what a snapshot cannot represent is rejected', () => {
  test('names that mark removals in images', async () => {
    writeFileSync(inside('etc/.wh.conf'), '')
    await expect(snapshot()).rejects.toMatchObject({ code: 'reserved-name' })
  })

  test.each(['redirect', 'metacopy'])('the attribute %s of overlayfs', async (name) => {
    mkdirSync(join(upper, 'moved'))
    execFileSync('setfattr', ['-n', `trusted.overlay.${name}`, '-v', '/etc', join(upper, 'moved')])
    await expect(snapshot()).rejects.toMatchObject({ code: 'overlay-redirect' })
  })

  test('a missing upper directory', async () => {
    renameSync(upper, `${upper}-moved`)
    await expect(snapshot()).rejects.toThrow()
    renameSync(`${upper}-moved`, upper)
  })
})

test('the error of the writer is reported, and the archive programs end', async () => {
  writeFileSync(inside('new'), Buffer.alloc(5_000_000, 'x'))
  await expect(
    takeSnapshot({ upper, compressor }, () => Promise.reject(new Error('the disk is full'))),
  ).rejects.toThrow('the disk is full')
})

test('a refusal is the error, whatever the writer makes of the archive that breaks off', async () => {
  mkdirSync(join(upper, 'moved'))
  execFileSync('setfattr', ['-n', 'trusted.overlay.redirect', '-v', '/etc', join(upper, 'moved')])
  writeFileSync(inside('new'), Buffer.alloc(5_000_000, 'x'))
  const write = (archive: Readable) => collect(archive).catch(() => Promise.reject(new Error('broken off')))
  await expect(takeSnapshot({ upper, compressor }, write)).rejects.toMatchObject({ code: 'overlay-redirect' })
})

test('the freeze ends when the tree has been read, before the archive is stored', async () => {
  writeFileSync(inside('new'), 'new\n')
  const events: string[] = []
  const thawed = new Deferred<void>()
  const freezer = {
    whileFrozen: async <T>(work: () => Promise<T>) => {
      events.push('frozen')
      const result = await work()
      events.push('thawed')
      thawed.resolve()
      return result
    },
  }
  await takeSnapshot({ upper, compressor, freezer }, async (archive) => {
    events.push('archive')
    await collect(archive)
    await thawed.promise
    events.push('stored')
  })
  expect(events).toEqual(['frozen', 'archive', 'thawed', 'stored'])
})

test('a container that cannot be frozen leaves no archive', async () => {
  const freezer = { whileFrozen: () => Promise.reject(new Error('no freezer')) }
  const write = () => Promise.reject(new Error('it was written to'))
  await expect(takeSnapshot({ upper, compressor, freezer }, write)).rejects.toThrow('no freezer')
})
