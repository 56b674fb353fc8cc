import { randomBytes } from 'node:crypto'
import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { GarbageReport } from '../../../daemon/documents/garbage.js'
import { bytesOf } from './api-client.js'
import { ApiUnderTest } from './api-under-test.js'

const WEEKS_AGO = new Date(Date.now() - 30 * 24 * 3_600_000)

describe('POST /v1/node/gc', () => {
  let under: ApiUnderTest
  beforeEach(async () => {
    under = await ApiUnderTest.open()
  })
  afterEach(() => under.close())

  const age = (sha256: string) =>
    utimes(join(under.directory.path, 'blobs/sha256', sha256.slice(0, 2), sha256), WEEKS_AGO, WEEKS_AGO)
  const uploaded = async (old: boolean) => {
    const sha256 = await under.upload(randomBytes(1000))
    if (old) await age(sha256)
    return sha256
  }
  const collect = async (request: object = {}) => {
    const { status, document } = await under.ask<GarbageReport>('POST', '/v1/node/gc', request)
    expect(status).toBe(200)
    return document
  }
  const ids = ({ removed }: GarbageReport) => removed.map(({ id }) => id)

  it('removes old uploads that no package refers to, and reports their size', async () => {
    const [old, fresh, named] = [await uploaded(true), await uploaded(false), await uploaded(true)]
    await under.ask('POST', '/v1/packages', { namespace: '/', name: 'one', resource: named })
    await age(named)
    const planned = await collect({ dry_run: true })
    expect(planned).toMatchObject({ dry_run: true, removed: [{ kind: 'blob', id: old, bytes: 1000 }] })
    expect(await under.storedBlobs()).toHaveLength(3)
    expect((await collect()).totals).toContainEqual({ kind: 'blob', count: 1, bytes: 1000 })
    expect((await under.storedBlobs()).sort()).toEqual([fresh, named].sort())
    expect(ids(await collect({ older_than_ms: 0, keep_bytes: 0 }))).toEqual([])
  })

  it('keeps an old upload that was asked for, and removes it when its package is deleted', async () => {
    const sha256 = await uploaded(true)
    expect((await under.ask('GET', `/v1/resources/${sha256}`)).document).toEqual({
      sha256,
      length: 1000,
      compression: 'none',
    })
    expect(ids(await collect())).toEqual([])
    await under.ask('POST', '/v1/packages', { namespace: '/', name: 'one', resource: sha256 })
    await under.ask('DELETE', '/v1/packages/%2F::one')
    await age(sha256)
    expect(ids(await collect())).toEqual([sha256])
    expect((await under.ask('GET', `/v1/resources/${sha256}`)).document).toMatchObject({ code: 'resource-not-found' })
  })

  it('keeps the blobs of an export until it is read, though its packages are deleted', async () => {
    const names = ['one', 'two']
    const contents = names.map(() => randomBytes(6_000_000))
    for (const [index, name] of names.entries()) {
      const resource = await under.upload(contents[index]!)
      await under.ask('POST', '/v1/packages', { namespace: '/', name, resource })
      await age(resource)
    }
    const { request, answer } = await under.connect('GET', '/v1/exchange?package=%2F::one&package=%2F::two')
    request.end()
    // The client reads nothing yet, so the second blob is not open.
    const response = await answer
    expect(response.statusCode).toBe(200)
    for (const name of names) expect((await under.ask('DELETE', `/v1/packages/%2F::${name}`)).status).toBe(204)
    expect(ids(await collect())).toEqual([])
    const file = await bytesOf(response)
    expect(file.length).toBe(Number(response.headers['content-length']))
    for (const content of contents) expect(file.includes(content)).toBe(true)
    await expect.poll(async () => ids(await collect())).toHaveLength(2)
  })

  it('keeps the blob of a download whose package has just been found', async () => {
    const sha256 = await uploaded(true)
    await under.ask('POST', '/v1/packages', { namespace: '/', name: 'one', resource: sha256 })
    await age(sha256)
    const { packages } = under.store
    const get = packages.get.bind(packages)
    vi.spyOn(packages, 'get').mockImplementationOnce(async (ref) => {
      const found = await get(ref)
      await under.ask('DELETE', '/v1/packages/%2F::one')
      expect(ids(await collect())).toEqual([])
      return found
    })
    expect((await under.ask('GET', '/v1/packages/%2F::one/data')).status).toBe(200)
    expect(ids(await collect())).toEqual([sha256])
  })

  it('keeps the blobs of an export whose packages have just been found', async () => {
    const sha256 = await uploaded(true)
    await under.ask('POST', '/v1/packages', { namespace: '/', name: 'one', resource: sha256 })
    await age(sha256)
    const { packages } = under.store
    const get = packages.get.bind(packages)
    vi.spyOn(packages, 'get').mockImplementationOnce(async (ref) => {
      const found = await get(ref)
      await under.ask('DELETE', '/v1/packages/%2F::one')
      expect(ids(await collect())).toEqual([])
      return found
    })
    expect((await under.ask('GET', '/v1/exchange?package=%2F::one')).status).toBe(200)
    await expect.poll(async () => ids(await collect())).toEqual([sha256])
  })

  it('keeps the blob of a download that is about to be opened', async () => {
    const sha256 = await uploaded(true)
    await under.ask('POST', '/v1/packages', { namespace: '/', name: 'one', resource: sha256 })
    await age(sha256)
    const open = under.blobs.open.bind(under.blobs)
    vi.spyOn(under.blobs, 'open').mockImplementationOnce(async (digest) => {
      await under.ask('DELETE', '/v1/packages/%2F::one')
      expect(ids(await collect())).toEqual([])
      return await open(digest)
    })
    expect((await under.ask('GET', '/v1/packages/%2F::one/data')).status).toBe(200)
    expect(ids(await collect())).toEqual([sha256])
  })

  it('removes layers that no package needs and images that were not used recently', async () => {
    const named = await uploaded(false)
    await under.ask('POST', '/v1/packages', { namespace: '/', name: 'one', resource: named })
    const cached = { bytes: 5, usedAt: WEEKS_AGO, inUse: false }
    under.caches.cached = [
      { ...cached, kind: 'layer', id: 'needed', content: { sha256: named, removals: [] } },
      {
        ...cached,
        kind: 'layer',
        id: 'stray',
        content: { sha256: named, removals: [{ kind: 'removed', path: 'x' }] },
      },
      { ...cached, kind: 'image', id: 'stagerd/root:a' },
      { ...cached, kind: 'image', id: 'stagerd/root:b', inUse: true },
      { ...cached, kind: 'image', id: 'stagerd/root:c', usedAt: new Date() },
    ]
    expect(ids(await collect()).sort()).toEqual(['stagerd/root:a', 'stray'])
    expect(under.caches.cached.map(({ id }) => id)).toEqual(['needed', 'stagerd/root:b', 'stagerd/root:c'])
  })

  it('removes logs without a staging and stagings that ended long ago, but none that has not ended', async () => {
    const resource = await uploaded(false)
    await under.ask('POST', '/v1/packages', { namespace: '/', name: 'one', resource })
    const { packages, ledger, references } = under.store
    const { uuid: packageUuid } = await packages.get({ namespace: '/', name: 'one' })
    const stager = {
      uuid: '1',
      namespace: '/',
      name: 's',
      packageUuid,
      startCommand: 'x',
      additive: false,
      egress: false,
      user: 'runner',
      limits: { memoryBytes: 1, cpus: 1, pids: 1, diskBytes: 1, timeoutMs: 1 },
      dependencies: [],
      environment: {},
    }
    const { uuid } = await ledger.submit({ packageUuid, pipelineFqn: 'stagpipe::/::p', stagers: [stager] })
    const stray = '00000000-0000-4000-8000-000000000001'
    await mkdir(join(under.directory.path, 'logs'))
    for (const staging of [uuid, stray])
      await writeFile(join(under.directory.path, 'logs', `${staging}.ndjson`), 'line\n')
    expect(ids(await collect({ older_than_ms: 0 }))).toEqual([stray])
    await ledger.requestCancel(uuid)
    expect((await collect({ older_than_ms: 0 })).removed).toMatchObject([{ kind: 'staging', id: uuid, bytes: 5 }])
    expect(await references.stagings()).toEqual([])
  })
})
