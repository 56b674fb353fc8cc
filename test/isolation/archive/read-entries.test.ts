import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { unpackEntry } from '../../../isolation/archive-entry.js'
import { DEFAULT_ARCHIVE_LIMITS } from '../../../isolation/archive/limits.js'
import { readEntries } from '../../../isolation/archive/read-entries.js'
import { tarOf, type TarMember } from '../../support/tar-builder.js'

const signal = AbortSignal.timeout(20_000)

async function entriesOf(...members: readonly TarMember[]) {
  const archive = Readable.from([gzipSync(tarOf(...members))])
  const entries = await readEntries(archive, DEFAULT_ARCHIVE_LIMITS, signal)
  return Object.fromEntries([...entries].map(([path, packed]) => [path, unpackEntry(packed)]))
}

describe('the entries of an archive', () => {
  it('have their metadata, from extended headers where these have it', async () => {
    const entries = await entriesOf(
      { name: 'app/', type: '5', mode: 0o755, mtime: 7 },
      {
        name: 'app/run',
        data: 'x',
        mode: 0o4755,
        uid: 1000,
        gid: 100,
        pax: { mtime: '12.5', 'SCHILY.xattr.user.a': 'b' },
      },
      { name: 'app/link', type: '2', linkName: 'run', mode: 0o777 },
    )
    expect(entries['app']).toMatchObject({ kind: 'directory', mode: 0o755, mtime: '7' })
    expect(entries['app/run']).toMatchObject({
      kind: 'file',
      mode: 0o4755,
      uid: 1000,
      gid: 100,
      mtime: '12.5',
      size: 1,
      attributes: 'SCHILY.xattr.user.a=b\n',
    })
    expect(entries['app/link']).toMatchObject({ kind: 'symlink', target: 'run' })
  })

  it('have the same content exactly if their data are the same, of any length', async () => {
    const letters = ['', 'a', 'b', 'a'.repeat(511), 'a'.repeat(512), 'a'.repeat(513), 'a'.repeat(300_000)]
    const first = await entriesOf(...letters.map((data, index) => ({ name: `f${index}`, data, mtime: 1 })))
    const second = await entriesOf(...letters.map((data, index) => ({ name: `f${index}`, data, mtime: 2 })))
    const contents = Object.values(first).map(({ content }) => content)
    expect(new Set(contents).size).toBe(letters.length)
    expect(Object.values(second).map(({ content }) => content)).toEqual(contents)
  })

  it('are the file that a hard link names, and the later one of two with a name', async () => {
    const entries = await entriesOf(
      { name: 'a', data: 'one' },
      { name: 'b', type: '1', linkName: 'a' },
      { name: 'c', data: 'old' },
      { name: 'c', data: 'one' },
    )
    expect(entries['b']).toEqual(entries['a'])
    expect(entries['c']?.content).toBe(entries['a']?.content)
  })
})
