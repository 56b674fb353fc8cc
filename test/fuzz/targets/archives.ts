import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { constants, deflateRawSync, gunzipSync } from 'node:zlib'
import { StagerdError } from '../../../base/errors.js'
import { crc32 } from '../../../base/crc32.js'
import { GZIP_BEGINNING, gzipEnd } from '../../../base/segmented-gzip.js'
import { NameRewriter } from '../../../isolation/archive/name-rewriter.js'
import { parsePaxRecords } from '../../../isolation/archive/pax-records.js'
import { readEntries } from '../../../isolation/archive/read-entries.js'
import { scanArchive, type ArchiveSummary } from '../../../isolation/archive/scan.js'
import { segmentedScans } from '../../../isolation/archive/segmented-scan.js'
import { sealHeader } from '../../../isolation/archive/tar-header.js'
import { TarParser } from '../../../isolation/archive/tar-parser.js'
import { TarScanner } from '../../../isolation/archive/tar-scanner.js'
import { ONE_OF_EACH } from '../../hostile/archives/refused.js'
import { paxRecord, tarOf } from '../../support/tar-builder.js'
import { TEST_LIMITS } from '../../support/test-limits.js'
import { assertHolds, assertSame, type FuzzTarget } from '../fuzz-target.js'
import { pieces, streamOf } from './support.js'

const BLOCK = 512
const never = () => new AbortController().signal
const REFUSALS = ['not-an-archive', 'archive-corrupt', 'archive-empty', 'archive-refused', 'archive-too-large']

const SPARSE = {
  'GNU.sparse.major': '1',
  'GNU.sparse.minor': '0',
  'GNU.sparse.name': 'holes',
  'GNU.sparse.realsize': '5120',
}
const SEEDS = [
  tarOf({ name: 'app/', type: '5' }, { name: 'app/a', data: 'one' }, { name: 'l', type: '2', linkName: '../etc' }),
  tarOf({ name: './a', data: 'x' }, { name: 'b', type: '1', linkName: './a' }, { name: '/c//d', data: 'y' }),
  tarOf({ name: 'a', data: 'one', pax: { path: 'long/name', mtime: '1.5', 'SCHILY.xattr.user.a': 'value' } }),
  tarOf({ name: 'LongLink', type: 'L', data: `${'n'.repeat(120)}\0` }, { name: 'n', data: 'x' }),
  tarOf({ name: 'GNUSparseFile.0/h', data: `1\n4608\n512\n`.padEnd(512, '\0') + 'y'.repeat(512), pax: SPARSE }),
  tarOf({
    name: 'h',
    data: 'y'.repeat(512),
    pax: { 'GNU.sparse.size': '1024', 'GNU.sparse.numblocks': '1', 'GNU.sparse.map': '512,512' },
  }),
  oldSparse(),
  ...ONE_OF_EACH.map(({ archive }) => archive).filter(({ length }) => length <= 4096),
]

const TOKENS = [
  ...['ustar\x0000', 'ustar  \0', '0', '1', '2', '5', '7', 'x', 'g', 'L', 'K', 'S', '\0', '\x80', '\xff'],
  ...['./', '../', '//', '/', '.wh.', '.wh..wh..opq', '%25', '00000000000', '00000001000', '77777777777'],
  ...['path', 'linkpath', 'size', 'uid', 'mtime', 'SCHILY.xattr.', 'LIBARCHIVE.xattr.', 'user.overlay.', 'trusted.'],
  ...['GNU.sparse.size', 'GNU.sparse.map', 'GNU.sparse.numblocks', 'GNU.sparse.offset', 'GNU.sparse.numbytes'],
  ...['GNU.sparse.major', 'GNU.sparse.realsize', 'GNU.sparse.name', '512,512', '1\n512\n512\n', 'hdrcharset=BINARY'],
]

/** A member of type `S`: its map goes on in two blocks after the header. */
function oldSparse(): Buffer {
  const count = 4 + 21 + 1
  const archive = tarOf({ name: 'h', type: 'S', data: Buffer.alloc((2 + count) * BLOCK, 'y') })
  const octal = (value: number, at: number) => archive.write(`${value.toString(8).padStart(11, '0')}\0`, at, 'latin1')
  archive.write('ustar  \0', 257, 'latin1')
  archive.fill(0, BLOCK, 3 * BLOCK)
  for (let index = 0; index < count; index++) {
    const at = index < 4 ? 386 + 24 * index : index < 25 ? BLOCK + 24 * (index - 4) : 2 * BLOCK
    octal(2 * BLOCK * index, at)
    octal(BLOCK, at + 12)
  }
  archive[482] = archive[BLOCK + 504] = 1
  octal(BLOCK * (2 * count - 1), 483)
  // The blocks of the map are no part of it.
  octal(count * BLOCK, 124)
  sealHeader(archive.subarray(0, BLOCK))
  return archive
}

/** Checksums of headers: nearly every change breaks one, and nothing else of the archive would be read. */
function sealed(bytes: Buffer): Buffer {
  const archive = Buffer.from(bytes)
  for (let at = 0; at + BLOCK <= archive.length; at += BLOCK)
    if (archive.toString('latin1', at + 257, at + 262) === 'ustar') sealHeader(archive.subarray(at, at + BLOCK))
  return archive
}

/** What a scan says: the summary, or the refusal as it is told. */
function scanned(bytes: Buffer, lengths: readonly number[] = [65_536]): object {
  const parser = new TarParser(TEST_LIMITS)
  const forwarded = createHash('sha256')
  try {
    for (const piece of pieces(bytes, lengths)) forwarded.update(parser.push(piece))
    parser.finish()
  } catch (error) {
    if (error instanceof StagerdError) return { refused: error.code, why: error.message }
    throw error
  }
  const { tree, bytes: length } = parser
  return { entries: tree.entries, isCanonical: tree.isCanonical, length, forwarded: forwarded.digest('hex') }
}

/** Whether `bytes` would be decompressed first, by a process. */
const isCompressed = (bytes: Buffer) => /^(?:1f8b08|425a68|fd377a585a00|28b52ffd)/.test(bytes.toString('hex', 0, 6))

const entriesOf = async (bytes: Buffer) => [...(await readEntries(streamOf(bytes), TEST_LIMITS, never()))]

const tar: FuzzTarget = {
  name: 'tar',
  law: 'An archive is read the same in whatever pieces it comes, and its canonical form is an accepted, canonical archive of the same entries.',
  refusals: REFUSALS,
  maxBytes: 48 * 1024,
  tokens: TOKENS,
  seeds: SEEDS,
  block: BLOCK,
  repair: sealed,
  run: async (bytes) => {
    if (isCompressed(bytes)) return 'compressed'
    const whole = scanned(bytes)
    assertSame(scanned(bytes, [1, 511, 513, 3000]), whole, 'in pieces')
    if ('refused' in whole) return `refused: ${String(whole.refused)}`
    const canonical = await buffer(streamOf(bytes).pipe(new TarScanner(TEST_LIMITS)).pipe(new NameRewriter()))
    const again = scanned(canonical) as { isCanonical?: boolean; why?: string }
    assertHolds(again.isCanonical === true, `the canonical form is not accepted or not canonical: ${again.why ?? ''}`)
    assertSame(await entriesOf(canonical), await entriesOf(bytes), 'the entries of the canonical form')
    return 'accepted'
  },
}

/** Records as `KEY=VALUE` lines: their lengths would hardly survive a change. A first line `raw` leaves them out. */
const paxRecords: FuzzTarget = {
  name: 'pax-records',
  law: 'The records of an extended header are understood or refused.',
  refusals: REFUSALS,
  maxBytes: 64 * 1024,
  tokens: TOKENS,
  seeds: [
    'path=a\nmtime=-1.5\n',
    'raw\n10 path=a\n',
    'GNU.sparse.size=10\nGNU.sparse.offset=1\nGNU.sparse.numbytes=9\n',
  ],
  run: (bytes) => {
    const text = bytes.toString('latin1')
    const body = text.startsWith('raw\n')
      ? bytes.subarray(4)
      : Buffer.concat(
          text
            .split('\n')
            .filter((line) => line !== '')
            .map((line) => paxRecord(line.replace(/=.*/s, ''), line.replace(/^[^=]*=?/, ''))),
        )
    const found = parsePaxRecords(body, 'entry')
    return `accepted: ${Object.keys(found).sort().join(' ')}`
  },
}

/** The plain archive, in segments: before its first byte, the lengths of the parts in blocks of 128 bytes. */
const segments: FuzzTarget = {
  name: 'segmented-archive',
  law: 'What is known of the segments of an archive is what a scan of the whole says.',
  refusals: [],
  maxBytes: 16 * 1024,
  // Compressed twice.
  microsPerByte: 100,
  tokens: TOKENS,
  seeds: SEEDS.map((archive) => Buffer.concat([Buffer.from([4, 8, 0xff, 0xff]), archive])),
  block: BLOCK,
  repair: (bytes) => Buffer.concat([bytes.subarray(0, 4), sealed(bytes.subarray(4))]),
  run: async (bytes) => {
    const parts: Buffer[] = []
    let plain = bytes.subarray(4)
    for (const blocks of bytes.subarray(0, 4).filter((each) => each > 0)) {
      parts.push(plain.subarray(0, blocks * 128))
      plain = plain.subarray(blocks * 128)
      if (plain.length === 0) break
    }
    const flushed = parts.map((part) => deflateRawSync(part, { level: 1, finishFlush: constants.Z_FULL_FLUSH }))
    const all = Buffer.concat(parts)
    const gzip = [GZIP_BEGINNING, ...flushed, gzipEnd(crc32(all), all.length)]
    assertHolds(gunzipSync(Buffer.concat(gzip)).equals(all), 'the segments are no gzip of the whole')
    const scan = segmentedScans(TEST_LIMITS)()
    for (const segment of gzip)
      await scan.add(createHash('sha256').update(segment).digest('hex'), segment.length, () => Promise.resolve(segment))
    const facts = scan.facts()
    if (!facts) return 'unknown'
    let whole: ArchiveSummary | string
    try {
      whole = await scanArchive(streamOf(all), TEST_LIMITS, never())
    } catch (error) {
      whole = String(error)
    }
    assertSame(facts, typeof whole === 'string' ? whole : { ...whole, compression: 'gzip' }, 'the segments')
    return 'known'
  },
}

export const ARCHIVES: readonly FuzzTarget[] = [tar, paxRecords, segments]
