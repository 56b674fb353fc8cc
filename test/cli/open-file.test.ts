import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ZipFile } from 'yazl'
import { openFile } from '../../cli/pack/open-file.js'
import { exitCodeOfError } from '../../cli/session/exit-codes.js'
import { renamed, zipOf } from '../support/zip-builder.js'
import { withFields } from '../support/zip-headers.js'
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
