import { execFileSync } from 'node:child_process'
import { Readable } from 'node:stream'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { movedArchive, type MovedOptions } from '../../../isolation/archive/moved-archive.js'
import { scanArchive } from '../../../isolation/archive/scan.js'
import { collect } from '../../support/collect.js'
import { TEST_LIMITS } from '../../support/test-limits.js'
import { memberBlocks, tarOf, type TarMember } from '../../support/tar-builder.js'

const signal = new AbortController().signal
const FIRST: TarMember = { name: 'first', data: 'x' }

async function moved(from: string, to: string, ...members: TarMember[]): Promise<Buffer> {
  return await movedBy({ from, to }, ...members)
}

async function movedBy(move: MovedOptions['move'], ...members: TarMember[]): Promise<Buffer> {
  const archive = tarOf(...members)
  // The precondition of what is tested.
  await scanArchive(Readable.from([archive]), TEST_LIMITS, signal)
  const chunks = Readable.from([archive.subarray(0, 333), archive.subarray(333)], { objectMode: false })
  const options = { move, first: memberBlocks(FIRST), signal }
  return gunzipSync(await collect(await movedArchive(chunks, 'none', options)))
}

/** As GNU tar lists it: type, size, name and target. */
async function listed(from: string, to: string, ...members: TarMember[]): Promise<string[]> {
  const archive = await moved(from, to, ...members)
  await scanArchive(Readable.from([archive]), TEST_LIMITS, signal)
  return execFileSync('tar', ['--list', '--verbose', '--numeric-owner', '--quoting-style=literal'], {
    input: archive,
    encoding: 'latin1',
  })
    .split('\n')
    .filter((line) => line !== '' && !line.endsWith(' first'))
    .map((line) => line.replace(/^(\S)\S+ +\S+ +(\d+) \S+ \S+ /, '$1 $2 '))
}

const LONG = `${'d'.repeat(90)}/${'e'.repeat(90)}/${'f'.repeat(90)}`

describe('an archive whose members are moved', () => {
  test('has what is below the directory, after the first members, and nothing else', async () => {
    const members: TarMember[] = [
      { name: 'srv/', type: '5' },
      { name: 'srv/www/', type: '5' },
      { name: 'srv/www/b/', type: '5' },
      { name: 'srv/www/b/c', data: 'abc' },
      { name: 'srv/www.old/', type: '5' },
    ]
    expect(await listed('srv/www', 'app', ...members)).toEqual(['d 0 app/b', '- 3 app/b/c'])
    expect((await moved('srv/www', 'app', ...members)).toString('latin1')).toMatch(/^first\0/)
  })

  test.each(['none', 'gzip'] as const)(
    'waits for its first members, and is not made without them: %s',
    async (compression) => {
      const tar = tarOf({ name: 'app/x', data: '1' })
      const stored = () => Readable.from([compression === 'gzip' ? gzipSync(tar) : tar], { objectMode: false })
      const move = { from: 'app', to: 'app' }
      const late = new Promise<Uint8Array>((resolve) => setTimeout(() => resolve(memberBlocks(FIRST)), 50))
      const archive = gunzipSync(
        await collect(await movedArchive(stored(), compression, { move, first: late, signal })),
      )
      expect(archive.toString('latin1')).toMatch(/^first\0/)
      expect(archive.includes('app/x')).toBe(true)

      const refused = stored()
      const first = Promise.reject(new Error('refused'))
      await expect(movedArchive(refused, compression, { move, first, signal })).rejects.toThrow('refused')
      await expect.poll(() => refused.destroyed).toBe(true)
    },
  )

  test('has everything below the root in the directory', async () => {
    expect(
      await listed('', 'app', { name: 'x', data: '1' }, { name: `${LONG}/x`, pax: { path: `${LONG}/x` } }),
    ).toEqual(['- 1 app/x', `- 0 app/${LONG}/x`])
  })

  test('has one owner and keeps absolute links, where that is asked for', async () => {
    const archive = await movedBy(
      { from: '', to: 'home/vcap', owner: 99, keepLinks: true },
      { name: 'app/link', type: '2', linkName: '/usr/bin/ruby', uid: 5, gid: 6 },
      { name: `app/${LONG}`, data: 'x', pax: { path: `app/${LONG}`, uid: '1000', gid: '70000', uname: 'vcap' } },
      { name: 'app/file', data: 'x', uid: 8 },
      { name: 'app/same', type: '1', linkName: 'app/file', uid: 7 },
    )
    const list = ['--list', '--verbose', '--numeric-owner', '--quoting-style=literal']
    const lines = execFileSync('tar', list, { input: archive, encoding: 'latin1' }).split('\n').slice(1, -1)
    expect(lines.map((line) => line.replace(/^\S+ (\S+) .*?(home.*)/, '$1 $2'))).toEqual([
      '99/99 home/vcap/app/link -> /usr/bin/ruby',
      `99/99 home/vcap/app/${LONG}`,
      '99/99 home/vcap/app/file',
      '99/99 home/vcap/app/same link to home/vcap/app/file',
    ])
  })

  test('keeps names of any length and of any form', async () => {
    const prefix = 'p'.repeat(60)
    const name = 'n'.repeat(90)
    expect(
      await listed(
        'a',
        'longer',
        { name: `a/${name}`, data: 'long in the header' },
        { name, prefix: `a/${prefix}`, data: 'two fields' },
        { name: 'cut', pax: { path: `a/${LONG}`, mtime: '1.5' }, data: 'extended' },
        { name: '././@LongLink', type: 'L', data: `a/${LONG}2\0` },
        { name: 'cut', data: 'GNU' },
      ),
    ).toEqual([`- 18 longer/${name}`, `- 10 longer/${prefix}/${name}`, `- 8 longer/${LONG}`, `- 3 longer/${LONG}2`])
  })

  test('keeps hard links, and symbolic links to what is moved', async () => {
    expect(
      await listed(
        'app',
        'moved',
        { name: 'app/file', data: 'x' },
        { name: 'app/hard', type: '1', linkName: 'app/file' },
        { name: 'app/d/', type: '5' },
        { name: 'app/d/absolute', type: '2', linkName: '/app/lib/../file' },
        { name: 'app/d/to-the-top', type: '2', linkName: '/app' },
        { name: 'app/outside', type: '2', linkName: '/usr/bin/ruby' },
        { name: 'app/relative', type: '2', linkName: '../app/file' },
        { name: 'app/far', type: '2', linkName: '', pax: { linkpath: `/app/${LONG}` } },
      ),
    ).toEqual([
      '- 1 moved/file',
      'h 0 moved/hard link to moved/file',
      'd 0 moved/d',
      'l 0 moved/d/absolute -> ../file',
      'l 0 moved/d/to-the-top -> ..',
      'l 0 moved/outside -> /usr/bin/ruby',
      'l 0 moved/relative -> ../app/file',
      `l 0 moved/far -> ${LONG}`,
    ])
  })

  test('keeps times, attributes and the holes of sparse files', async () => {
    const map = Buffer.alloc(512)
    map.write('1\n1024\n3\n')
    const data = Buffer.concat([map, Buffer.from('end')])
    const sparse = { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '1027' }
    const archive = await moved('app', 'moved', {
      name: 'app/GNUSparseFile.1/disk',
      data,
      pax: { ...sparse, 'GNU.sparse.name': 'app/disk', 'SCHILY.xattr.user.x': 'y', mtime: '7.25' },
    })
    const unpack = ['--extract', '--to-stdout', 'moved/disk']
    const content = execFileSync('tar', unpack, { input: archive })
    expect([content.length, content.subarray(1024).toString()]).toEqual([1027, 'end'])
    expect(archive.toString('latin1')).toMatch(/SCHILY\.xattr\.user\.x=y\n\d+ mtime=7\.25\n/)
  })

  test('gives the error of what it reads', async () => {
    const broken = new Readable({ read() {} })
    const options = { move: { from: '', to: 'app' }, first: Buffer.alloc(0), signal }
    const result = await movedArchive(broken, 'none', options)
    broken.destroy(new Error('the disk is gone'))
    await expect(collect(result)).rejects.toThrow('the disk is gone')
  })
})
