import { gzipSync } from 'node:zlib'
import { memberBlocks, tarOf, type TarMember } from '../../support/tar-builder.js'
import type { RefusedArchive } from './hostile-archive.js'

const file = { name: 'app/file', data: 'x' }
const whole = tarOf(file)

/** A sparse file by the numbers of its map, in the format 1.0 of PAX. */
function sparse(map: readonly (number | string)[], data: string, realSize: number | string): TarMember {
  const text = [map.length / 2, ...map].map((number) => `${number}\n`).join('')
  return {
    name: 'GNUSparseFile.1/sparse',
    data: text.padEnd(Math.ceil(text.length / 512) * 512, '\0') + data,
    pax: {
      'GNU.sparse.major': '1',
      'GNU.sparse.minor': '0',
      'GNU.sparse.name': 'sparse',
      'GNU.sparse.realsize': String(realSize),
    },
  }
}

/** The same in the format 0.1. */
function olderSparse(pax: Readonly<Record<string, string>>, data = 'y'.repeat(512)): TarMember {
  return {
    name: 'GNUSparseFile.1/sparse',
    data,
    pax: { 'GNU.sparse.name': 'sparse', 'GNU.sparse.size': '512', 'GNU.sparse.numblocks': '1', ...pax },
  }
}

const refusedSparse = ([what, ...members]: readonly [string, ...TarMember[]]): RefusedArchive => ({
  what: `a sparse file ${what}`,
  archive: tarOf(file, ...members),
  code: 'archive-refused',
})

/** Archives that say of themselves what is not so. */
export const LIES: readonly RefusedArchive[] = [
  ...(
    [
      ['whose pieces overlap', sparse([0, 512, 256, 512], 'y'.repeat(1024), 768)],
      ['whose pieces go backwards', sparse([1024, 512, 0, 512], 'y'.repeat(1024), 1536)],
      ['that ends before its size', sparse([0, 512], 'y'.repeat(512), 4096)],
      ['that ends behind its size', sparse([0, 512], 'y'.repeat(512), 100)],
      ['with less data than its map says', sparse([0, 1024], 'y'.repeat(512), 1024)],
      ['with more data than its map says', sparse([0, 512], 'y'.repeat(1024), 512)],
      ['whose map has no number', sparse(['zero', 512], 'y'.repeat(512), 512)],
      ['whose map has a negative number', sparse([-512, 1024], 'y'.repeat(512), 512)],
      ['whose map has a number of thirty digits', sparse(['9'.repeat(30), 1], 'y', 1)],
      ['whose piece is no whole number of blocks', sparse([0, 100, 512, 512], 'y'.repeat(612), 1024)],
      ['whose size is no number', sparse([0, 512], 'y'.repeat(512), 'much')],
      ['whose size is negative', sparse([0, 512], 'y'.repeat(512), '-1')],
      ['of a format of the future', { ...sparse([0, 1], 'y', 1), pax: { 'GNU.sparse.major': '2' } }],
      ['in two formats at once', olderSparse({ 'GNU.sparse.map': '0,512', 'GNU.sparse.realsize': '512' })],
      ['whose map has an odd number of numbers', olderSparse({ 'GNU.sparse.map': '0,512,1' })],
      ['that counts its pieces wrongly', olderSparse({ 'GNU.sparse.map': '0,512', 'GNU.sparse.numblocks': '9999999' })],
      ['without a map', olderSparse({})],
      ['with an empty map', olderSparse({ 'GNU.sparse.map': '' })],
      ['with a lone offset', { name: 'sparse', pax: { 'GNU.sparse.size': '1', 'GNU.sparse.offset': '0' } }],
      ['with a lone length', { name: 'sparse', pax: { 'GNU.sparse.size': '1', 'GNU.sparse.numbytes': '0' } }],
      ['in the old format without a map', { name: 'sparse', type: 'S', data: 'y' }],
    ] as const
  ).map(refusedSparse),
  {
    what: 'a sparse file that hides its length behind two others',
    archive: tarOf(
      ...[1, 2, 3].map((n) => ({
        ...sparse([2 ** 20, 0], '', 2 ** 20),
        pax: { ...sparse([2 ** 20, 0], '', 2 ** 20).pax, 'GNU.sparse.name': `s${n}` },
      })),
      {
        ...sparse([2 ** 20, 0], '', 2 ** 20),
      },
    ),
    code: 'archive-too-large',
  },
  // Extended headers.
  ...(
    [
      ['that is longer than the archive', '99999999 path=a\n'],
      ['of length zero', '0 path=a\n'],
      ['of a negative length', '-9 path=a\n'],
      ['without an end of line', '9 path=ab'],
      ['without a value', '8 pathx\n'],
      ['with NULs behind it', '8 path=a\n\0\0\0\0'],
      ['that is text', 'path=../escaped\n'],
    ] as const
  ).map(([what, data]) => ({
    what: `a record of an extended header ${what}`,
    archive: tarOf({ name: 'x', type: 'x', data }, file),
    code: 'archive-corrupt',
  })),
  {
    what: 'an extended header for a name, and a GNU long name',
    archive: tarOf(
      { name: '././@LongLink', type: 'L', data: 'one\0' },
      { name: 'fine', data: 'evil', pax: { path: 'two' } },
    ),
    code: 'archive-refused',
  },
  {
    what: 'two extended headers for one entry',
    archive: Buffer.concat([
      memberBlocks({ name: 'x', pax: { path: 'a' } }).subarray(0, 1024),
      memberBlocks({ name: 'x', pax: { path: 'b' } }),
      Buffer.alloc(1024),
    ]),
    code: 'archive-refused',
  },
  {
    what: 'an extended header of two megabytes',
    archive: tarOf({ name: 'x', type: 'x', size: 2 ** 21 }),
    code: 'archive-refused',
  },
  {
    what: 'a long name of two megabytes',
    archive: tarOf({ name: 'x', type: 'L', size: 2 ** 21 }),
    code: 'archive-refused',
  },
  {
    what: 'a size that is no number',
    archive: tarOf({ ...file, pax: { size: 'NaN' } }),
    code: 'archive-refused',
  },
  { what: 'a size in hexadecimal', archive: tarOf({ ...file, pax: { size: '0x1' } }), code: 'archive-refused' },
  {
    what: 'a negative size in an extended header',
    archive: tarOf({ ...file, pax: { size: '-1' } }),
    code: 'archive-refused',
  },
  { what: 'an owner that is no number', archive: tarOf({ ...file, pax: { uid: 'root' } }), code: 'archive-refused' },
  { what: 'a time that is no number', archive: tarOf({ ...file, pax: { mtime: 'now' } }), code: 'archive-refused' },
  {
    what: 'a symbolic link with data',
    archive: tarOf({ name: 'l', type: '2', linkName: 'x', data: 'data' }),
    code: 'archive-refused',
  },
  {
    what: 'a symbolic link to nothing',
    archive: tarOf({ name: 'l', type: '2', linkName: '' }),
    code: 'archive-refused',
  },
  {
    what: 'a symbolic link whose target is longer than a path',
    archive: tarOf({ name: 'l', type: '2', linkName: 'x', pax: { linkpath: 'x/'.repeat(2500) } }),
    code: 'archive-refused',
  },
  {
    what: 'a symbolic link with a NUL in its target',
    archive: tarOf({ name: 'l', type: '2', linkName: 'x', pax: { linkpath: 'a\0b' } }),
    code: 'archive-refused',
  },
  {
    what: 'an archive in an archive, twice compressed',
    archive: gzipSync(gzipSync(whole)),
    code: 'not-an-archive',
  },
  {
    what: 'a file that becomes a directory by what is below it',
    archive: tarOf({ name: 'a', data: 'x' }, { name: 'a/b/c', data: 'x' }),
    code: 'archive-refused',
    names: '"a/b/c"',
  },
  {
    what: 'a link that leads in a circle, and a file below it',
    archive: tarOf(
      { name: 'a', type: '2', linkName: 'b' },
      { name: 'b', type: '2', linkName: 'a' },
      { name: 'a/x', data: 'x' },
    ),
    code: 'archive-refused',
    names: '"a/x"',
  },
  {
    what: 'a link that is replaced by a directory, and a file below it',
    archive: tarOf(
      { name: 'a', type: '2', linkName: '/etc' },
      { name: 'a/', type: '5' },
      { name: 'a/passwd', data: 'x' },
    ),
    code: 'archive-refused',
  },
  {
    what: 'a link that leads away, and then a file of the same name',
    archive: tarOf({ name: 'l', type: '2', linkName: '../canary/hook' }, { name: 'l', data: 'new' }),
    code: 'archive-refused',
    names: '"l"',
  },
  {
    what: 'a write through two links',
    archive: tarOf(
      { name: 'one', type: '2', linkName: '..' },
      { name: 'two', type: '2', linkName: 'one/..' },
      { name: 'two/canary/hook', data: 'evil' },
    ),
    code: 'archive-refused',
    names: '"two/canary/hook"',
  },
  {
    what: 'a hard link to a file that became a link',
    archive: tarOf(
      file,
      { name: 'app/file', type: '2', linkName: '/etc/passwd' },
      { name: 'hard', type: '1', linkName: 'app/file' },
      { name: 'hard', data: 'evil' },
    ),
    code: 'archive-refused',
  },
]
