import { brotliCompressSync, gzipSync } from 'node:zlib'
import type { RefusedArchive } from './hostile-archive.js'
import { END, memberBlocks, paxRecord, tarOf } from '../../support/tar-builder.js'

const file = { name: 'app/file', data: 'x' }
const whole = tarOf(file)

/** One of each kind that is refused. */
export const ONE_OF_EACH: readonly RefusedArchive[] = [
  // Names outside of the root.
  ...['../escaped', 'app/../../escaped', 'app/..', '/../escaped', './../escaped', '..'].map((name) => ({
    what: `a member called ${name}`,
    archive: tarOf(file, { name, data: 'evil' }),
    code: 'archive-refused',
    names: JSON.stringify(name),
  })),
  {
    what: 'a member with an outside name in its extended header',
    archive: tarOf(file, { name: 'fine', data: 'evil', pax: { path: '../escaped' } }),
    code: 'archive-refused',
    names: '"../escaped"',
  },
  {
    what: 'a member with an outside GNU long name',
    archive: tarOf({ name: '././@LongLink', type: 'L', data: '../escaped\0' }, { name: 'fine', data: 'evil' }),
    code: 'archive-refused',
    names: '"../escaped"',
  },
  {
    what: 'a sparse member with an outside GNU sparse name',
    archive: tarOf({
      name: 'GNUSparseFile.1/fine',
      data: '0\n'.padEnd(512, '\0'),
      pax: {
        'GNU.sparse.major': '1',
        'GNU.sparse.minor': '0',
        'GNU.sparse.name': '../escaped',
        'GNU.sparse.realsize': '0',
      },
    }),
    code: 'archive-refused',
    names: '"../escaped"',
  },
  {
    what: 'a write through a symbolic link',
    archive: tarOf({ name: 'way', type: '2', linkName: '..' }, { name: 'way/escaped', data: 'evil' }),
    code: 'archive-refused',
    names: '"way/escaped"',
  },
  {
    what: 'a write through an absolute symbolic link',
    archive: tarOf({ name: 'etc', type: '2', linkName: '/etc' }, { name: 'etc/escaped', data: 'evil' }),
    code: 'archive-refused',
    names: '"etc/escaped"',
  },
  {
    what: 'a directory below a symbolic link',
    archive: tarOf({ name: 'way', type: '2', linkName: 'app' }, { name: 'way/sub/', type: '5' }),
    code: 'archive-refused',
    names: '"way/sub/"',
  },
  {
    what: 'a directory that becomes a symbolic link',
    archive: tarOf(file, { name: 'app', type: '2', linkName: '/etc' }),
    code: 'archive-refused',
    names: '"app"',
  },
  {
    what: 'a member below a file',
    archive: tarOf(file, { name: 'app/file/below', data: 'x' }),
    code: 'archive-refused',
    names: '"app/file/below"',
  },
  { what: 'a root that is a file', archive: tarOf({ name: './', type: '2', linkName: 'x' }), code: 'archive-refused' },
  { what: 'a member without a name', archive: tarOf({ name: '', data: 'x' }), code: 'archive-refused' },

  // Hard links.
  ...[
    ['outside by ..', '../../../etc/passwd'],
    ['outside by an absolute name', '/etc/passwd'],
    ['a later file', 'app/later'],
    ['a directory', 'app'],
    ['itself', 'app/link'],
  ].map(([what, linkName]) => ({
    what: `a hard link to ${what}`,
    archive: tarOf(file, { name: 'app/link', type: '1', linkName: linkName! }, { name: 'app/later', data: 'x' }),
    code: 'archive-refused',
    names: 'app/link',
  })),
  {
    what: 'a hard link to a symbolic link',
    archive: tarOf({ name: 'way', type: '2', linkName: '/etc/passwd' }, { name: 'link', type: '1', linkName: 'way' }),
    code: 'archive-refused',
    names: '"link"',
  },
  {
    what: 'a hard link through a symbolic link',
    archive: tarOf({ name: 'way', type: '2', linkName: '/etc' }, { name: 'link', type: '1', linkName: 'way/passwd' }),
    code: 'archive-refused',
    names: '"link"',
  },
  {
    what: 'a hard link with data',
    archive: tarOf(file, { name: 'link', type: '1', linkName: 'app/file', data: 'x'.repeat(600) }),
    code: 'archive-refused',
    names: '"link"',
  },

  // Entry types.
  ...[
    ['3', 'character device', [1, 3]],
    ['3', 'whiteout as a device', [0, 0]],
    ['4', 'block device', [8, 0]],
    ['6', 'FIFO', [0, 0]],
    ['Z', 'unknown kind', [0, 0]],
    ['V', 'volume label', [0, 0]],
    ['M', 'continued volume', [0, 0]],
    ['D', 'incremental directory', [0, 0]],
  ].map(([type, what, device]) => ({
    what: `a ${what as string}`,
    archive: tarOf(file, { name: 'app/odd', type: type as string, device: device as [number, number] }),
    code: 'archive-refused',
    names: '"app/odd"',
  })),
  ...['.wh.file', 'app/.wh..wh..opq', 'app/.wh.dir/file'].map((name) => ({
    what: `the whiteout name ${name}`,
    archive: tarOf(file, { name, data: '' }),
    code: 'archive-refused',
    names: JSON.stringify(name),
  })),
  {
    what: 'a name that contains a NUL',
    archive: tarOf({ name: 'x', data: '', pax: { path: 'app\0/../../escaped' } }),
    code: 'archive-refused',
  },
  {
    what: 'a name of 256 bytes',
    archive: tarOf({ name: 'x', data: '', pax: { path: 'n'.repeat(256) } }),
    code: 'archive-refused',
  },

  // Attributes that overlayfs interprets.
  ...['trusted.overlay.opaque', 'trusted.overlay.redirect', 'trusted.anything', 'user.overlay.opaque'].map((name) => ({
    what: `the attribute ${name}`,
    archive: tarOf({ name: 'app/', type: '5', pax: { [`SCHILY.xattr.${name}`]: 'y' } }),
    code: 'archive-refused',
    names: name,
  })),
  {
    what: 'the same attribute in the format of bsdtar',
    archive: tarOf({ name: 'app/', type: '5', pax: { 'LIBARCHIVE.xattr.trusted%2Eoverlay.opaque': 'eQ' } }),
    code: 'archive-refused',
  },

  // Bombs.
  {
    what: 'a bomb by size',
    archive: gzipSync(tarOf({ name: 'zeros', data: Buffer.alloc(8 * 1024 * 1024) })),
    code: 'archive-too-large',
  },
  {
    what: 'a bomb by holes',
    archive: tarOf({
      name: 'GNUSparseFile.1/holes',
      data: '0\n'.padEnd(512, '\0'),
      pax: {
        'GNU.sparse.major': '1',
        'GNU.sparse.minor': '0',
        'GNU.sparse.name': 'holes',
        'GNU.sparse.realsize': String(1024 ** 4),
      },
    }),
    code: 'archive-too-large',
    names: '"holes"',
  },
  {
    what: 'a bomb by entries',
    archive: tarOf(...Array.from({ length: 60 }, (_, index) => ({ name: `f${index}`, data: '' }))),
    code: 'archive-too-large',
  },
  {
    what: 'a bomb by directories that exist only in paths',
    archive: tarOf(...Array.from({ length: 10 }, (_, index) => ({ name: `f${index}/${'d/'.repeat(12)}f`, data: '' }))),
    code: 'archive-too-large',
    names: '"f3/',
  },
  {
    what: 'a bomb by long paths',
    archive: tarOf(
      ...Array.from({ length: 40 }, (_, index) => ({
        name: 'x',
        data: '',
        pax: { path: `${`${'n'.repeat(250)}/`.repeat(8)}${index}` },
      })),
    ),
    code: 'archive-too-large',
  },
  {
    what: 'a bomb by depth',
    archive: tarOf({ name: 'd/'.repeat(30), type: '5' }),
    code: 'archive-too-large',
  },

  // Contradictory and impossible metadata.
  {
    what: 'two sizes',
    archive: tarOf({ name: 'f', data: 'x'.repeat(512), pax: { size: '0' } }, file),
    code: 'archive-refused',
    names: '"f"',
  },
  {
    what: 'two names in one extended header',
    archive: tarOf({
      name: 'x',
      data: '',
      paxList: [
        ['path', 'one'],
        ['path', '../two'],
      ],
    }),
    code: 'archive-refused',
  },
  {
    what: 'a name for every entry',
    archive: tarOf({ name: 'g', type: 'g', data: paxRecord('path', '../escaped') }, file),
    code: 'archive-refused',
  },
  {
    what: 'a size larger than any disk',
    archive: tarOf({ name: 'huge', size: 2 ** 60 }),
    code: 'archive-corrupt',
  },
  { what: 'a negative size', archive: tarOf({ name: 'neg', size: -512 }), code: 'archive-refused' },
  { what: 'uid 2^31', archive: tarOf({ ...file, uid: 2 ** 31 }), code: 'archive-refused', names: '"app/file"' },
  { what: 'a negative gid', archive: tarOf({ ...file, gid: -1 }), code: 'archive-refused', names: '"app/file"' },
  {
    what: 'uid 2^40 by extended header',
    archive: tarOf({ ...file, pax: { uid: String(2 ** 40) } }),
    code: 'archive-refused',
  },
  {
    what: 'a time that the kernel cannot represent',
    archive: tarOf({ ...file, pax: { mtime: '9223372036854775808' } }),
    code: 'archive-refused',
  },
  {
    what: 'a directory with data',
    archive: tarOf({ name: 'd/', type: '5', data: 'x' }),
    code: 'archive-refused',
  },

  // Damaged archives.
  { what: 'an empty file', archive: Buffer.alloc(0), code: 'not-an-archive' },
  { what: 'five bytes', archive: Buffer.from('hello'), code: 'not-an-archive' },
  { what: 'the wrong magic', archive: Buffer.from('PK\x03\x04'.padEnd(2048, 'x')), code: 'not-an-archive' },
  { what: 'another compression', archive: brotliCompressSync(whole), code: 'not-an-archive' },
  { what: 'gzip of data that is not a tar', archive: gzipSync(Buffer.alloc(4096, 'x')), code: 'not-an-archive' },
  { what: 'only zeros', archive: Buffer.alloc(10240), code: 'archive-empty' },
  { what: 'compressed zeros', archive: gzipSync(Buffer.alloc(10240)), code: 'archive-empty' },
  { what: 'an archive truncated at an entry boundary', archive: memberBlocks(file), code: 'archive-corrupt' },
  { what: 'an archive truncated within an entry', archive: whole.subarray(0, 700), code: 'archive-corrupt' },
  { what: 'an archive truncated within a header', archive: whole.subarray(0, 300), code: 'not-an-archive' },
  { what: 'an archive with half an end marker', archive: whole.subarray(0, -512), code: 'archive-corrupt' },
  { what: 'a truncated gzip stream', archive: gzipSync(whole).subarray(0, -12), code: 'archive-corrupt' },
  { what: 'a gzip stream with a flipped bit', archive: flipped(gzipSync(whole)), code: 'archive-corrupt' },
  { what: 'two concatenated archives', archive: Buffer.concat([whole, whole]), code: 'archive-refused' },
  {
    what: 'two concatenated gzip archives',
    archive: Buffer.concat([gzipSync(whole), gzipSync(whole)]),
    code: 'archive-refused',
  },
  {
    what: 'a single block of zeros between entries',
    archive: Buffer.concat([memberBlocks(file), Buffer.alloc(512), whole]),
    code: 'archive-corrupt',
  },
  { what: 'a bad checksum', archive: tarOf(file, { ...file, checksum: 1 }), code: 'archive-corrupt' },
  {
    what: 'an extended header without an entry',
    archive: Buffer.concat([memberBlocks({ name: 'x', pax: { path: 'a' } }).subarray(0, 1024), END]),
    code: 'archive-corrupt',
  },
  {
    what: 'an invalid extended header',
    archive: tarOf({ name: 'x', type: 'x', data: '99 path=a\n' }, file),
    code: 'archive-corrupt',
  },
]

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  const at = copy.length - 6
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}
