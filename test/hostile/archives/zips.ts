import { buffer } from 'node:stream/consumers'
import { ZipFile } from 'yazl'
import { renamed, zipOf } from '../../support/zip-builder.js'
import { overlapping, withFields } from '../../support/zip-headers.js'

/** A ZIP file that some attacker would give a user of stagectl, or send as a set of packages. */
export interface HostileZip {
  readonly what: string
  readonly make: () => Promise<Buffer>
  /**
   * What stagectl says of it. `taken` becomes a tar, which the daemon takes; `refused by the daemon` becomes one, which it does
   * not take.
   */
  readonly must: RegExp | 'taken' | 'refused by the daemon'
}

const MTIME = new Date('2024-05-06T07:08:10Z')

async function unixZip(...members: readonly (readonly [name: string, content: string, mode: number])[]) {
  const zip = new ZipFile()
  for (const [name, content, mode] of members) zip.addBuffer(Buffer.from(content), name, { mode, mtime: MTIME })
  zip.end()
  return await buffer(zip.outputStream)
}

const [FILE, LINK, FIFO, DEVICE] = [0o100644, 0o120777, 0o010644, 0o060644]
const one = (name: string) => zipOf([[name, 'content']])
const END = Buffer.from('PK\x05\x06')

/** A copy with a field of the end record changed: `at` counts from its signature. */
function withEnd(zip: Buffer, change: (end: Buffer) => void): Buffer {
  const copy = Buffer.from(zip)
  change(copy.subarray(copy.indexOf(END)))
  return copy
}

/** A copy whose sizes before compression are other ones, in every entry of the central directory. */
function withSize(zip: Buffer, size: number): Buffer {
  const copy = Buffer.from(zip)
  const central = Buffer.from('PK\x01\x02')
  for (let at = copy.indexOf(central); at >= 0; at = copy.indexOf(central, at + 4)) copy.writeUInt32LE(size, at + 24)
  return copy
}

const row = (what: string, must: HostileZip['must'], make: HostileZip['make']): HostileZip => ({ what, make, must })

export const HOSTILE_ZIPS: readonly HostileZip[] = [
  // Names.
  row('a path that leads out', /could lead out/, async () => renamed(await one('xx/etc'), 'xx/etc', '../etc')),
  row('.. in the middle', /could lead out/, async () => renamed(await one('a/xx/b'), 'a/xx/b', 'a/../b')),
  row('an absolute path', /absolute path/, async () => renamed(await one('x/etc'), 'x/etc', '//etc')),
  row('.. behind backslashes', /could lead out/, async () =>
    withFields(renamed(await one('xx+etc'), 'xx+etc', '..\\etc'), { system: 0 }),
  ),
  row('a drive', /absolute path/, async () => withFields(renamed(await one('C+/x'), 'C+/x', 'C:/x'), { system: 0 })),
  row('a NUL in a name', /NUL/, async () => renamed(await one('a+b'), 'a+b', 'a\0b')),
  row('a name twice', /has "a1" twice/, async () => renamed(await zipOf([['a1', ''], ['a2', '']]), 'a2', 'a1')), // prettier-ignore
  row(
    'a name twice, written in two ways',
    /has "a\/b" twice/,
    async () =>
    renamed(await zipOf([['a/b', ''], ['a/+/b', '']]), 'a/+/b', 'a/./b'), // prettier-ignore
  ),
  row(
    'a file and a directory of one name',
    /has "a" twice/,
    async () =>
    renamed(await zipOf([['a', ''], ['+-', '']]), '+-', 'a/'), // prettier-ignore
  ),
  row('names that are not what they are marked as', /not UTF-8/, async () =>
    renamed(await one('caf+'), 'caf+', 'caf\xe9'),
  ),
  row('nothing but its root', /no entry/, async () => renamed(await zipOf([['+-', '']]), '+-', './')),
  row('a name of 300 bytes', 'refused by the daemon', () => one('n'.repeat(300))),
  row('a path of 2000 parts', 'refused by the daemon', () => one('d/'.repeat(2000) + 'f')),
  row('a name of removals', 'refused by the daemon', () => one('app/.wh.passwd')),
  row('names that differ by case', 'taken', () => zipOf([['A', '1'], ['a', '2']])), // prettier-ignore
  row('an escape of a terminal in a name', 'taken', () => one('\u001b[31mred')),

  // Links and other kinds.
  row('a link that leads away', 'taken', () => unixZip(['l', '/etc/passwd', LINK])),
  row('a link, and a file behind it', 'refused by the daemon', () =>
    unixZip(['l', '/etc', LINK], ['l/passwd', 'evil', FILE]),
  ),
  row('a file, and a file below it', 'refused by the daemon', () =>
    unixZip(['l', 'x', FILE], ['l/passwd', 'evil', FILE]),
  ),
  row('a link to nothing', 'refused by the daemon', () => unixZip(['l', '', LINK])),
  row('a link with a target of 5000 bytes', /longer than/, () => unixZip(['l', 'x'.repeat(5000), LINK])),
  row('a device alone', /no entry/, () => unixZip(['d', '', DEVICE])),
  row('a named pipe beside a file', 'taken', () => unixZip(['p', '', FIFO], ['f', 'x', FILE])),
  row('a file with every right', 'taken', () => unixZip(['su', 'x', 0o107777])),

  // Structure.
  row('encrypted entries', /is encrypted/, async () =>
    withFields(await zipOf([['a', 'content']], true), { flags: 0x801 }),
  ),
  row('a rare compression', /unusual method 14/, async () => withFields(await one('a'), { method: 14 })),
  row('a damaged file', /"a" is damaged/, async () => renamed(await one('a'), 'content', 'contenT')),
  row('an end that is cut off', /damaged or not complete/, async () => (await one('a')).subarray(0, -10)),
  row('entries that overlap, as in a bomb', /overlap/, async () => overlapping(await zipOf([['0', 'x'.repeat(5000)]]))),
  row('no entries', /no entry/, () => zipOf([])),
  row('a file that is longer than it says', /damaged/, async () =>
    withSize(await zipOf([['a', 'x'.repeat(5000)]], true), 10),
  ),
  row('a file that is shorter than it says', /damaged/, async () =>
    withSize(await zipOf([['a', 'x'.repeat(50)]], true), 5000),
  ),
  row(
    'more entries than it says',
    /damaged|overlap|no entry/,
    async () =>
    withEnd(await zipOf([['a', ''], ['b', '']]), (end) => { end.writeUInt16LE(0, 8); end.writeUInt16LE(0, 10) }), // prettier-ignore
  ),
  row(
    'fewer entries than it says',
    /damaged/,
    async () =>
    withEnd(await one('a'), (end) => { end.writeUInt16LE(9, 8); end.writeUInt16LE(9, 10) }), // prettier-ignore
  ),
  row('a directory behind its end', /damaged/, async () =>
    withEnd(await one('a'), (end) => end.writeUInt32LE(99_999, 16)),
  ),
  row(
    'numbers of ZIP64 without their record',
    /damaged/,
    async () =>
    withEnd(await one('a'), (end) => { end.writeUInt16LE(0xffff, 10); end.writeUInt32LE(0xffffffff, 16) }), // prettier-ignore
  ),
  row('one part of several', /one part of several|damaged/, async () =>
    withEnd(await one('a'), (end) => end.writeUInt16LE(7, 4)),
  ),
  row('another ZIP file in it', 'taken', async () =>
    zipOf([['inner.zip', renamed(await one('xx/x'), 'xx/x', '../x')]]),
  ),
]
