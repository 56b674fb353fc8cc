import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ZipFile } from 'yazl'
import { openFile } from '../../cli/pack/open-file.js'
import { exitCodeOfError } from '../../cli/session/exit-codes.js'
import { renamed, zipOf } from '../support/zip-builder.js'
import { overlapping, withFields } from '../support/zip-headers.js'
import { names, readTar, type TarEntry } from './support/read-tar.js'
import { makeWorkspace } from './support/workspace.js'

let root: string
let remove: () => Promise<void>
beforeEach(async () => {
  ;({ root, remove } = await makeWorkspace())
})
afterEach(() => remove())

interface Opened {
  readonly entries: TarEntry[]
  readonly notes: readonly string[]
  readonly sha256: string
}

async function open(name: string, content: Buffer | string): Promise<Opened> {
  const file = path.join(root, name)
  await writeFile(file, content)
  const tarball = await openFile({ file, env: { TMPDIR: root }, signal: new AbortController().signal })
  try {
    return { entries: await readTar(tarball.read()), notes: tarball.notes ?? [], sha256: tarball.sha256 }
  } finally {
    await tarball.dispose()
  }
}

async function refusal(name: string, content: Buffer | string): Promise<{ code: string; message: string }> {
  const error: unknown = await open(name, content).then(
    ({ entries }) => `took ${names(entries).join(' ')}`,
    (reason: unknown) => reason,
  )
  expect(exitCodeOfError(error)).toBe(4)
  return error as { code: string; message: string }
}

interface Member {
  readonly name: string
  readonly content?: string
  readonly mode?: number
}

async function unixZip(...members: readonly Member[]): Promise<Buffer> {
  const zip = new ZipFile()
  const mtime = new Date('2024-05-06T07:08:10Z')
  for (const { name, content = '', mode = 0o100644 } of members)
    if (name.endsWith('/')) zip.addEmptyDirectory(name, { mode: mode | 0o040000, mtime })
    else zip.addBuffer(Buffer.from(content), name, { mode, mtime })
  zip.end()
  return await buffer(zip.outputStream)
}

describe('a zip', () => {
  test('becomes a tar with its executable files, symbolic links and times, owned by runner', async () => {
    const zip = await unixZip(
      { name: 'app/', mode: 0o040750 },
      { name: 'app/run.sh', content: '#!/bin/sh\n', mode: 0o104755 },
      { name: 'app/data', content: 'x'.repeat(300_000) },
      { name: 'app/current', content: 'run.sh', mode: 0o120777 },
      { name: 'caf\u00e9', content: '' },
    )
    const { entries, notes } = await open('app.zip', zip)
    expect(names(entries)).toEqual(['app/', 'app/run.sh', 'app/data', 'app/current', 'caf\u00e9'])
    expect(entries.map(({ header }) => header.mode)).toEqual([0o750, 0o755, 0o644, 0o777, 0o644])
    expect(entries[1]).toMatchObject({
      text: '#!/bin/sh\n',
      header: { uid: 99, gid: 99, mtime: new Date('2024-05-06T07:08:10Z') },
    })
    expect(entries[2]?.text).toHaveLength(300_000)
    expect(entries[3]?.header).toMatchObject({ type: 'symlink', linkname: 'run.sh', size: 0 })
    expect(notes).toEqual([])
  })

  test('gives the same bytes each time, whatever it is called', async () => {
    const zip = await unixZip({ name: 'a', content: 'a' })
    expect((await open('two.data', zip)).sha256).toBe((await open('one.zip', zip)).sha256)
  })

  test('of Windows has backslashes between directories, and no permissions', async () => {
    const zip = withFields(renamed(await zipOf([['dir+file', 'x']]), 'dir+file', 'dir\\file'), { system: 0 })
    const { entries } = await open('app.zip', zip)
    expect(entries[0]?.header).toMatchObject({ name: 'dir/file', mode: 0o644 })
  })

  test('that does not mark its names as UTF-8 is read as UTF-8 where they are', async () => {
    const zip = withFields(await zipOf([['caf\u00e9', '']]), { flags: 0 })
    expect(names((await open('app.zip', zip)).entries)).toEqual(['caf\u00e9'])
  })

  test('with names of DOS is read so, and the user is told', async () => {
    const zip = withFields(renamed(await zipOf([['caf+', '']]), 'caf+', 'caf\x82'), { flags: 0 })
    const { entries, notes } = await open('app.zip', zip)
    expect(names(entries)).toEqual(['caf\u00e9'])
    expect(notes.join()).toContain('code page 437')
  })

  test('loses sockets and named pipes, and the user is told', async () => {
    const zip = await unixZip({ name: 'pipe', mode: 0o010644 }, { name: 'a' })
    const { entries, notes } = await open('app.zip', zip)
    expect(names(entries)).toEqual(['a'])
    expect(notes).toEqual(['One named pipe or device is left out, "pipe": a package cannot contain it.'])
  })
})

describe('a zip is refused', () => {
  const one = (name: string) => zipOf([[name, 'content']])
  test.each<[string, () => Promise<Buffer>, string]>([
    ['with a path that leads out', async () => renamed(await one('xx/etc'), 'xx/etc', '../etc'), 'could lead out'],
    ['with .. in the middle', async () => renamed(await one('a/xx/b'), 'a/xx/b', 'a/../b'), 'could lead out'],
    ['with an absolute path', async () => renamed(await one('x/etc'), 'x/etc', '//etc'), 'absolute path'],
    [
      'with .. behind backslashes',
      async () => withFields(renamed(await one('xx+etc'), 'xx+etc', '..\\etc'), { system: 0 }),
      'could lead out',
    ],
    [
      'with a drive',
      async () => withFields(renamed(await one('C+/x'), 'C+/x', 'C:/x'), { system: 0 }),
      'absolute path',
    ],
    ['with a NUL in a name', async () => renamed(await one('a+b'), 'a+b', 'a\0b'), 'NUL'],
    [
      'with a name twice',
      async () => renamed(await zipOf([['a1', ''], ['a2', '']]), 'a2', 'a1'), // prettier-ignore
      'has "a1" twice',
    ],
    [
      'with a name twice, written in two ways',
      async () => renamed(await zipOf([['a/b', ''], ['a/+/b', '']]), 'a/+/b', 'a/./b'), // prettier-ignore
      'has "a/b" twice',
    ],
    [
      'that is encrypted',
      async () => withFields(await zipOf([['a', 'content']], true), { flags: 0x801 }),
      'is encrypted',
    ],
    ['with a rare compression', async () => withFields(await one('a'), { method: 14 }), 'unusual method 14'],
    ['with a damaged file', async () => renamed(await one('a'), 'content', 'contenT'), '"a" is damaged'],
    ['that is cut off', async () => (await one('a')).subarray(0, -10), 'damaged or not complete'],
    ['whose entries overlap, as in a bomb', async () => overlapping(await zipOf([['0', 'x'.repeat(5000)]])), 'overlap'],
    ['without entries', () => zipOf([]), 'no entry'],
    ['with nothing but sockets', () => unixZip({ name: 'socket', mode: 0o140777 }), 'no entry that can be packed'],
    [
      'with names that are not what they are marked as',
      async () => renamed(await one('caf+'), 'caf+', 'caf\xe9'),
      'not UTF-8',
    ],
  ])('%s', async (_what, make, message) => {
    const error = await refusal('app.zip', await make())
    expect(error.code).toMatch(/^(bad-zip|nothing-to-pack)$/)
    expect(error.message).toContain(message)
  })
})

describe('a Java archive', () => {
  test.each(['app.jar', 'shop-1.0.war', 'BIG.EAR'])('such as %s is a directory that holds this file', async (name) => {
    const zip = await unixZip({ name: 'META-INF/MANIFEST.MF', content: 'Main-Class: App\n' })
    const { entries } = await open(name, zip)
    expect(names(entries)).toEqual([name])
    expect(entries[0]?.header).toMatchObject({ type: 'file', size: zip.length, uid: 99 })
  })
})

describe('an archive of another kind', () => {
  test.each([
    ['app.7z', '7z\xbc\xaf\x27\x1c\0\x04', 'is a 7z archive'],
    ['app.rar', 'Rar!\x1a\x07\0', 'is a RAR archive'],
    ['app.tar.lz4', '\x04\x22\x4d\x18abc', 'is compressed with lz4'],
    ['app.tar.Z', '\x1f\x9d\x90', 'is compressed with compress'],
    ['app.deb', '!<arch>\ndebian-binary', 'is a Debian package'],
  ])('%s is refused with the formats that are right', async (name, content, message) => {
    const error = await refusal(name, Buffer.from(content, 'latin1'))
    expect(error.code).toBe('not-an-archive')
    expect(error.message).toContain(message)
    expect(error.message).toContain('pack it as a zip or a tar file')
  })
})
