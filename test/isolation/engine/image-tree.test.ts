import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { extract, pack, type Header } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { imageTree } from '../../../isolation/engine/image-tree.js'
import { DEFAULT_ARCHIVE_LIMITS } from '../../../isolation/archive/limits.js'
import { tarOf } from '../../support/tar-builder.js'
import { scanArchive } from '../../../isolation/archive/scan.js'

type Member = Partial<Header> & { readonly name: string; readonly text?: string }

const never = new AbortController().signal

async function archiveOf(members: readonly Member[]): Promise<Buffer> {
  const tar = pack()
  for (const { text = '', ...header } of members) tar.entry({ mtime: new Date(0), ...header }, text)
  tar.finalize()
  return await buffer(tar)
}

async function treeOf(members: readonly Member[], leaveOut: readonly string[] = []): Promise<Buffer> {
  const exported = Readable.from([await archiveOf(members)])
  return await buffer(imageTree(exported, { reference: 'an:image', leaveOut }, never))
}

async function membersOf(archive: Buffer): Promise<Record<string, string>> {
  const reader = extract()
  Readable.from([archive]).pipe(reader)
  const found: Record<string, string> = {}
  for await (const entry of reader) {
    const { name, type, linkname } = entry.header
    const text = (await buffer(entry)).toString()
    found[name] = type === 'file' ? text : type === 'directory' ? 'directory' : `${type} to ${linkname}`
  }
  return found
}

const directory = (name: string): Member => ({ name, type: 'directory' })

describe('the export of an image', () => {
  it('loses the entries of the Engine and the kernel, and nothing else', async () => {
    const tree = await treeOf([
      { name: '.dockerenv' },
      directory('dev/'),
      { name: 'dev/console' },
      directory('dev/shm/'),
      directory('etc/'),
      { name: 'etc/hosts' },
      { name: 'etc/hostname', text: 'of the image\n' },
      { name: 'etc/mtab', type: 'symlink', linkname: '/proc/mounts' },
      directory('proc/'),
      directory('sys/'),
      directory('device/'),
      { name: 'device/null', type: 'character-device', devmajor: 1, devminor: 3 },
      { name: 'device/sda', type: 'block-device' },
      { name: 'device/pipe', type: 'fifo' },
      { name: 'device/file', text: 'kept\n' },
    ])
    expect(await membersOf(tree)).toEqual({
      'dev/': 'directory',
      'etc/': 'directory',
      'etc/hostname': 'of the image\n',
      'etc/mtab': 'symlink to /proc/mounts',
      'proc/': 'directory',
      'sys/': 'directory',
      'device/': 'directory',
      'device/file': 'kept\n',
    })
  })

  it('loses the paths that the script cleans up', async () => {
    const tree = await treeOf(
      [directory('doc/'), { name: 'doc/a', text: 'a' }, { name: 'doc2', text: 'b' }, { name: 'c', text: 'c' }],
      ['/doc', '/c'],
    )
    expect(await membersOf(tree)).toEqual({ doc2: 'b' })
  })

  it('keeps hard links, also to symbolic links, in a form that passes the ingest', async () => {
    const tree = await treeOf([
      { name: 'perl', text: 'perl' },
      { name: 'perl5', type: 'link', linkname: 'perl' },
      { name: 'sh', type: 'symlink', linkname: 'dash' },
      { name: 'sh2', type: 'link', linkname: 'sh' },
    ])
    expect(await membersOf(tree)).toEqual({
      perl: 'perl',
      perl5: 'link to perl',
      sh: 'symlink to dash',
      sh2: 'symlink to dash',
    })
    await expect(scanArchive(Readable.from([tree]), DEFAULT_ARCHIVE_LIMITS, never)).resolves.toMatchObject({
      entries: 4,
    })
  })

  it('is rejected if a clean-up removes only the first name of a file with two names', async () => {
    const members = [
      { name: 'perl', text: 'perl' },
      { name: 'perl5', type: 'link' as const, linkname: 'perl' },
    ]
    await expect(treeOf(members, ['/perl'])).rejects.toMatchObject({ code: 'archive-refused' })
    expect(await membersOf(await treeOf([...members, { name: 'x' }], ['/perl', '/perl5']))).toEqual({ x: '' })
  })

  it('gets the user runner unless it has one', async () => {
    const passwd = 'root:x:0:0:root:/root:/bin/sh'
    const group = 'root:x:0:\nrunner:x:42:\n'
    const tree = await treeOf([
      { name: 'etc/passwd', text: passwd },
      { name: 'etc/group', text: group },
    ])
    expect(await membersOf(tree)).toEqual({
      'etc/passwd': `${passwd}\nrunner:x:99:99:runner:/app:/bin/sh\n`,
      'etc/group': group,
    })
  })

  it('keeps owners, modes, long names and large numbers', async () => {
    const name = `${'long/'.repeat(40)}ünïcode`
    const tree = await treeOf([
      { name, text: 'x', mode: 0o4755, uid: 3_000_000, gid: 7, pax: { uid: '3000000', 'SCHILY.xattr.user.a': 'b' } },
    ])
    const reader = extract()
    Readable.from([tree]).pipe(reader)
    for await (const entry of reader) {
      expect(entry.header).toMatchObject({ name, mode: 0o4755, gid: 7, mtime: new Date(0) })
      expect(entry.header.pax).toMatchObject({ uid: '3000000' })
      expect(entry.header.pax).not.toHaveProperty('SCHILY.xattr.user.a')
      entry.resume()
    }
  })

  it.each([
    ['before 1970', { mtime: new Date(0), pax: { mtime: '-86400' } }, { mtime: '-86400' }],
    ['with a fraction', { mtime: new Date(1000), pax: { mtime: '1.25' } }, { mtime: '1.25' }],
    ['after 2242', { mtime: new Date(0), pax: { mtime: '9000000000' } }, { mtime: '9000000000' }],
  ])('keeps a time %s', async (_what, member, expected) => {
    const tree = await treeOf([{ name: 'a', ...member }])
    await expect(scanArchive(Readable.from([tree]), DEFAULT_ARCHIVE_LIMITS, never)).resolves.toMatchObject({
      entries: 1,
    })
    const reader = extract()
    Readable.from([tree]).pipe(reader)
    for await (const entry of reader) {
      expect(entry.header.pax).toMatchObject(expected)
      entry.resume()
    }
  })

  it('keeps a time after 2038 that only the header has', async () => {
    const second = 2 ** 31 + 5
    const exported = Readable.from([tarOf({ name: 'a', mtime: second })])
    const tree = await buffer(imageTree(exported, { reference: 'an:image', leaveOut: [] }, never))
    await expect(scanArchive(Readable.from([tree]), DEFAULT_ARCHIVE_LIMITS, never)).resolves.toMatchObject({
      entries: 1,
    })
    expect(tree.toString('latin1')).toContain(` mtime=${second}\n`)
  })

  it('fails if it is truncated', async () => {
    const whole = await archiveOf([{ name: 'a', text: 'x'.repeat(10_000) }])
    const cut = Readable.from([whole.subarray(0, 2000)])
    await expect(buffer(imageTree(cut, { reference: 'an:image', leaveOut: [] }, never))).rejects.toMatchObject({
      code: 'export-failed',
    })
  })
})
