import { randomBytes } from 'node:crypto'
import { open, readdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { errnoOf, Unavailable } from '../../../base/errors.js'
import { CachedBlobStore } from '../../../daemon/store/cached-blob-store.js'
import { DirectoryBlobStore } from '../../../daemon/store/directory-blob-store.js'
import { describeBlobStore } from '../../contract/blob-store.js'
import { temporaryDirectory } from './temporary-directory.js'

const fileOf = (directory: string, sha256: string) => join(directory, 'sha256', sha256.slice(0, 2), sha256)

async function filesIn(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries.filter((one) => one.isFile()).map((one) => one.name)
}

async function flipBit(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+')
  const before = (await file.read(Buffer.alloc(1), 0, 1, at)).buffer[0]!
  const { ctimeNs } = await file.stat({ bigint: true })
  // The clock of file times advances only every few milliseconds, so a quick change could keep the same ctime.
  do await file.write(Buffer.of(before ^ 1), 0, 1, at)
  while ((await file.stat({ bigint: true })).ctimeNs === ctimeNs)
  await file.close()
}

describeBlobStore('CachedBlobStore', async () => {
  const directory = await temporaryDirectory()
  const [shared, cache] = [join(directory.path, 'shared'), join(directory.path, 'cache')]
  const openStore = async () =>
    await CachedBlobStore.open(await DirectoryBlobStore.open(shared), cache, { maxBytes: 100_000_000 })
  return {
    store: await openStore(),
    verifiesFirst: true,
    async flipBit(sha256, at) {
      await flipBit(fileOf(shared, sha256), at)
      await flipBit(fileOf(cache, sha256), at).catch((error: unknown) => expect(errnoOf(error)).toBe('ENOENT'))
    },
    async leftovers() {
      const [ofShared, ofCache] = [await filesIn(shared), await filesIn(cache)]
      const isBlob = (name: string) => name.length === 64
      return [...ofShared.filter((name) => !isBlob(name)), ...ofCache.filter((name) => !ofShared.includes(name))]
    },
    reopen: openStore,
    close: () => directory.remove(),
  }
})

describe('the cache of a node', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  let shared: DirectoryBlobStore
  /** Of the shared store. */
  let fetched: string[]
  beforeEach(async () => {
    directory = await temporaryDirectory()
    shared = await DirectoryBlobStore.open(join(directory.path, 'shared'))
    fetched = []
    const openShared = shared.open.bind(shared)
    shared.open = async (sha256) => {
      fetched.push(sha256)
      return await openShared(sha256)
    }
  })
  afterEach(() => directory.remove())

  const cache = () => join(directory.path, 'cache')
  const openNode = (maxBytes = 10_000) => CachedBlobStore.open(shared, cache(), { maxBytes })
  const add = async (length = 1_000) => (await shared.write(Readable.from([randomBytes(length)]))).sha256
  const read = async (node: CachedBlobStore, sha256: string) => await buffer((await node.open(sha256)).stream)
  const copies = async () => [...(await filesIn(cache()))]

  it('fetches a blob once, even if ten want it at once, and gives each a file that can be sent as it is', async () => {
    const [node, sha256] = [await openNode(1_000_000), await add(300_000)]
    const opened = await Promise.all(Array.from({ length: 10 }, () => node.open(sha256)))
    for (const { stream, trustedFile } of opened) {
      expect(trustedFile).toBeDefined()
      stream.destroy()
    }
    await read(node, sha256)
    expect(fetched).toEqual([sha256])
  })

  it('does not fetch what was written here', async () => {
    const node = await openNode()
    const { sha256 } = await node.write(Readable.from(['content']))
    expect(String(await read(node, sha256))).toBe('content')
    expect(String(await buffer((await shared.open(sha256)).stream))).toBe('content')
    expect(fetched).toEqual([sha256])
  })

  it('removes what was not used for the longest time', async () => {
    const node = await openNode(3_000)
    const [a, b, c, d] = [await add(), await add(), await add(), await add()]
    for (const sha256 of [a, b, c, a, d]) await read(node, sha256)
    expect((await copies()).sort()).toEqual([a, c, d].sort())
    expect(node.bytes).toBe(3_000)
  })

  it('keeps its copies, and the order of their use, across a restart', async () => {
    const first = await openNode(3_000)
    const [a, b, c] = [await add(), await add(), await add()]
    for (const sha256 of [a, b, c]) {
      await read(first, sha256)
      await expect.poll(() => Date.now()).toBeGreaterThan(Date.now())
    }
    const second = await openNode(2_000)
    expect((await copies()).sort()).toEqual([b, c].sort())
    await read(second, c)
    expect(fetched).toEqual([a, b, c])
  })

  it('serves a blob that is larger than the cache, and does not keep it', async () => {
    const [node, sha256] = [await openNode(1_000), await add(50_000)]
    expect((await read(node, sha256)).length).toBe(50_000)
    expect({ copies: await copies(), bytes: node.bytes }).toEqual({ copies: [], bytes: 0 })
  })

  it.each([
    ['was cut short by a crash', (path: string) => truncate(path, 10)],
    ['lost its content in a crash', (path: string) => writeFile(path, Buffer.alloc(1_000))],
    ['has a bit that flipped', (path: string) => flipBit(path, 999)],
  ])('fetches a copy again that %s, and its reader does not notice', async (_what, damage) => {
    const sha256 = await add()
    await read(await openNode(), sha256)
    await writeFile(join(cache(), 'new', 'half'), 'hal')
    await damage(fileOf(cache(), sha256))
    const next = await openNode()
    expect((await read(next, sha256)).length).toBe(1_000)
    expect(await shared.verify(sha256)).toBe('sound')
    expect(fetched).toEqual([sha256, sha256])
    expect(await copies()).toEqual([sha256])
  })

  it('keeps nothing of a write that the shared store did not take', async () => {
    const node = await openNode()
    shared.write = (body) => {
      body.destroy()
      return Promise.reject(new Unavailable('object-store-unavailable', 'It does not answer.'))
    }
    await expect(node.write(Readable.from(['content']))).rejects.toMatchObject({ code: 'object-store-unavailable' })
    expect({ copies: await copies(), bytes: node.bytes }).toEqual({ copies: [], bytes: 0 })
  })

  it('does not keep what was deleted', async () => {
    const [node, sha256] = [await openNode(), await add()]
    await read(node, sha256)
    expect(await node.deleteIf(sha256, () => true)).toBe(true)
    await expect(node.open(sha256)).rejects.toMatchObject({ code: 'blob-not-found' })
    expect({ copies: await copies(), bytes: node.bytes }).toEqual({ copies: [], bytes: 0 })
  })
})
