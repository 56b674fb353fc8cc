import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BadInput } from '../../../base/errors.js'
import { DirectoryBlobStore } from '../../../daemon/store/directory-blob-store.js'
import { ResourceIngest, type ScanArchive } from '../../../daemon/store/resource-ingest.js'
import { detectCompression } from '../../../isolation/archive/compression.js'
import { temporaryDirectory } from './temporary-directory.js'

const accept: ScanArchive = async (body) => ({ compression: 'gzip', entries: 3, bytes: (await buffer(body)).length })
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
    new ResourceIngest(blobs, { scan, detectCompression }, maxBytes)
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
    const hasty: ScanArchive = () => Promise.resolve({ compression: 'none', entries: 0, bytes: 0 })
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
