import { createHash, randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BadInput } from '../../../base/errors.js'
import { DirectoryBlobStore } from '../../../daemon/store/directory-blob-store.js'
import { ResourceIngest, type ArchiveReader, type ScanArchive } from '../../../daemon/store/resource-ingest.js'
import { canonicalArchive } from '../../../isolation/archive/canonical-archive.js'
import { detectCompression } from '../../../isolation/archive/compression.js'
import { chooseCompressor } from '../../../isolation/archive/compressor.js'
import { DEFAULT_ARCHIVE_LIMITS } from '../../../isolation/archive/limits.js'
import { scanArchive } from '../../../isolation/archive/scan.js'
import { tarOf } from '../../support/tar-builder.js'
import { temporaryDirectory } from './temporary-directory.js'

const accept: ScanArchive = async (body) => ({
  compression: 'gzip',
  entries: 3,
  bytes: (await buffer(body)).length,
  canonical: true,
})
const otherNames: ScanArchive = async (body, signal) => ({
  ...(await accept(body, signal)),
  compression: 'xz',
  canonical: false,
})
const canonicalise = async (body: Readable) => Readable.from([`canonical ${String(await buffer(body))}`])
const never = new AbortController().signal

describe('the ingest of resources', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  let blobs: DirectoryBlobStore
  beforeEach(async () => {
    directory = await temporaryDirectory()
    blobs = await DirectoryBlobStore.open(directory.path)
  })
  afterEach(() => directory.remove())

  const ingest = (scan: ScanArchive, maxBytes = 100_000_000) =>
    new ResourceIngest(blobs, { scan, detectCompression, canonicalise }, maxBytes)
  const digest = (algorithm: string, content: Buffer) => createHash(algorithm).update(content).digest('hex')
  /** The names of all files in the store. */
  const files = async () =>
    (await readdir(directory.path, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map(({ name }) => name)
  const stored = async () => [
    ...(await readdir(join(directory.path, 'new'))),
    ...(await readdir(join(directory.path, 'sha256'))),
  ]

  it('stores an accepted archive byte for byte', async () => {
    const content = randomBytes(5_000_000)
    const { resource, entries } = await ingest(accept).receive(Readable.from([content]), {}, never)
    expect({ ...resource, entries }).toMatchObject({ length: 5_000_000, compression: 'gzip', entries: 3, removals: [] })
    expect((await buffer((await blobs.open(resource.sha256)).stream)).equals(content)).toBe(true)
  })

  it('stores an archive with canonical names in place of one with others, which is checked as it was sent', async () => {
    const content = Buffer.from('archive')
    const expected = { sha256: digest('sha256', content), sha1: digest('sha1', content), length: content.length }
    const { resource, entries } = await ingest(otherNames).receive(Readable.from([content]), expected, never)
    const kept = Buffer.from('canonical archive')
    expect({ ...resource, entries }).toMatchObject({
      sha256: digest('sha256', kept),
      sha1: digest('sha1', kept),
      length: kept.length,
      compression: 'gzip',
      entries: 3,
    })
    expect(String(await buffer((await blobs.open(resource.sha256)).stream))).toBe('canonical archive')
    expect(await files()).toEqual([resource.sha256])
  })

  it.each([
    ['its digest is wrong', { sha256: '0'.repeat(64) }, 'digest-mismatch'],
    ['it is too large with canonical names', { maxBytes: 10 }, 'blob-too-large'],
  ])('stores nothing of an archive with other names if %s', async (_why, expected, code) => {
    const received = ingest(otherNames).receive(Readable.from(['archive']), expected, never)
    await expect(received).rejects.toMatchObject({ code })
    expect(await files()).toEqual([])
  })

  it('stores what the common client packs under names that begin with app/', async () => {
    const compressor = await chooseCompressor()
    const archives: ArchiveReader = {
      scan: (body, signal) => scanArchive(body, DEFAULT_ARCHIVE_LIMITS, signal),
      detectCompression,
      canonicalise: (body, compression, signal) =>
        canonicalArchive(body, compression, { limits: DEFAULT_ARCHIVE_LIMITS, compressor, signal }),
    }
    const packed = gzipSync(tarOf({ name: './app/', type: '5' }, { name: './app/index.html', data: 'hi' }))
    const expected = { sha256: digest('sha256', packed), length: packed.length }
    const { resource } = await new ResourceIngest(blobs, archives).receive(Readable.from([packed]), expected, never)
    const kept = await buffer((await blobs.open(resource.sha256)).stream)
    expect(gunzipSync(kept)).toEqual(tarOf({ name: 'app/', type: '5' }, { name: 'app/index.html', data: 'hi' }))
    expect(resource).toMatchObject({ sha256: digest('sha256', kept), length: kept.length, compression: 'gzip' })
    // What has canonical names already is stored as it is.
    const again = await new ResourceIngest(blobs, archives).receive(Readable.from([kept]), {}, never)
    expect(again.resource.sha256).toBe(resource.sha256)
  })

  it('stores nothing of an archive whose names cannot be rewritten', async () => {
    const failing = () => Promise.reject(new BadInput('archive-refused', 'No such name.'))
    const archives = { scan: otherNames, detectCompression, canonicalise: failing }
    const received = new ResourceIngest(blobs, archives).receive(Readable.from(['archive']), {}, never)
    await expect(received).rejects.toThrow('No such name')
    expect(await files()).toEqual([])
  })

  it('stores nothing of an archive that is rejected at its end', async () => {
    const refuse: ScanArchive = async (body) => {
      await buffer(body)
      throw new BadInput('bad-archive', 'The last entry climbs out.')
    }
    await expect(ingest(refuse).receive(Readable.from(['archive']), {}, never)).rejects.toThrow('climbs out')
    expect(await stored()).toEqual([])
  })

  it('rejects as soon as the scan fails, however slow the sender is', async () => {
    const refuse = () => Promise.reject(new BadInput('bad-archive', 'Not an archive.'))
    const slow = new Readable({ read: () => undefined })
    slow.push('first bytes, and no more')
    await expect(ingest(refuse).receive(slow, {}, never)).rejects.toThrow('Not an archive')
    expect(slow.destroyed).toBe(true)
    expect(await stored()).toEqual([])
  })

  it('accepts a scan that resolves without reading to the end', async () => {
    const hasty: ScanArchive = () => Promise.resolve({ compression: 'none', entries: 0, bytes: 0, canonical: true })
    const { resource } = await ingest(hasty).receive(Readable.from([randomBytes(9_000_000)]), {}, never)
    expect(resource.length).toBe(9_000_000)
  })

  it.each([
    ['the digest is wrong', { sha256: '0'.repeat(64) }, 'digest-mismatch'],
    ['the length is wrong', { length: 3 }, 'length-mismatch'],
  ])('stores nothing when %s', async (_, expected, code) => {
    await expect(ingest(accept).receive(Readable.from(['archive']), expected, never)).rejects.toMatchObject({ code })
    expect(await stored()).toEqual([])
  })

  it('ends the scan when the body is too large or the caller aborts', async () => {
    let ended = 0
    const scan: ScanArchive = async (body, signal) => {
      signal.addEventListener('abort', () => (ended += 1))
      return accept(body, signal)
    }
    const large = ingest(scan, 1000).receive(Readable.from([randomBytes(2000)]), {}, never)
    await expect(large).rejects.toMatchObject({ code: 'blob-too-large' })
    expect(ended).toBe(1)
    const abort = new AbortController()
    const given = ingest(scan).receive(new Readable({ read: () => undefined }), {}, abort.signal)
    setImmediate(() => abort.abort(new Error('given up')))
    await expect(given).rejects.toThrow('given up')
    expect(ended).toBe(2)
    expect(await stored()).toEqual([])
  })
})
