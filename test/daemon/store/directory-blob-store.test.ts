import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { runProcess } from '../../../base/run-process.js'
import { DirectoryBlobStore } from '../../../daemon/store/directory-blob-store.js'
import { describeBlobStore } from '../../contract/blob-store.js'
import { temporaryDirectory } from './temporary-directory.js'

describeBlobStore('DirectoryBlobStore', async () => {
  const directory = await temporaryDirectory()
  return {
    store: await DirectoryBlobStore.open(directory.path),
    async flipBit(sha256, at) {
      const file = await open(join(directory.path, 'sha256', sha256.slice(0, 2), sha256), 'r+')
      const before = (await file.read(Buffer.alloc(1), 0, 1, at)).buffer[0]!
      const { ctimeNs } = await file.stat({ bigint: true })
      // The clock of file times advances only every few milliseconds, so a quick change could keep the same ctime.
      do await file.write(Buffer.of(before ^ 1), 0, 1, at)
      while ((await file.stat({ bigint: true })).ctimeNs === ctimeNs)
      await file.close()
    },
    leftovers: () => readdir(join(directory.path, 'new')),
    reopen: () => DirectoryBlobStore.open(directory.path),
    close: () => directory.remove(),
  }
})

it('removes at the start what an interrupted write left behind, and nothing else', async () => {
  const directory = await temporaryDirectory()
  try {
    const { sha256 } = await (await DirectoryBlobStore.open(directory.path)).write(Readable.from(['whole']))
    await writeFile(join(directory.path, 'new', 'half'), 'hal')
    await mkdir(join(directory.path, 'new', 'directory'))
    const store = await DirectoryBlobStore.open(directory.path)
    expect(await readdir(join(directory.path, 'new'))).toEqual([])
    expect(await store.has(sha256)).toBe(true)
  } finally {
    await directory.remove()
  }
})

it('gives each touch within a millisecond a time of its own', async () => {
  const directory = await temporaryDirectory()
  vi.spyOn(Date, 'now').mockReturnValue(1_796_019_248_123)
  onTestFinished(async () => {
    vi.restoreAllMocks()
    await directory.remove()
  })
  const store = await DirectoryBlobStore.open(directory.path)
  const { sha256, modifiedAt } = await store.write(Readable.from(['content']))
  const times = [modifiedAt.getTime()]
  for (let count = 0; count < 20; count++) {
    await store.touch(sha256)
    await store.deleteIf(sha256, (at) => times.push(at.getTime()) === 0)
  }
  expect(times).toEqual(times.map((_, index) => modifiedAt.getTime() + index))
})

it('reports that the disk is full', async () => {
  // Writing to /dev/full fails with ENOSPC.
  const full = await open('/dev/full', 'w')
  try {
    const { copyAndHash } = await import('../../../daemon/store/blob-writer.js')
    const { storageError } = await import('../../../daemon/store/storage-errors.js')
    const error: unknown = await copyAndHash(Readable.from(['content']), full, {}).catch((e: unknown) => e)
    expect(storageError(error, 'store the data')).toMatchObject({ code: 'disk-full', name: 'Unavailable' })
  } finally {
    await full.close()
  }
})

describe('a trusted file', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  let store: DirectoryBlobStore
  let sha256: string
  beforeEach(async () => {
    directory = await temporaryDirectory()
    store = await DirectoryBlobStore.open(directory.path)
    sha256 = (await store.write(Readable.from(['content']))).sha256
  })
  afterEach(() => directory.remove())

  const trusted = async () => {
    const { stream, trustedFile } = await store.open(sha256)
    stream.destroy()
    return trustedFile !== undefined
  }
  const read = async () => String(await buffer((await store.open(sha256)).stream))

  it('is one that was just written, also if it was touched since', async () => {
    expect(await trusted()).toBe(true)
    await store.touch(sha256)
    expect(await trusted()).toBe(true)
  })

  it('is one of an earlier process that has been read to its end', async () => {
    store = await DirectoryBlobStore.open(directory.path)
    expect(await trusted()).toBe(false)
    await store.touch(sha256)
    expect(await trusted()).toBe(false)
    await read()
    expect(await trusted()).toBe(true)
  })

  it('is not one that was changed or touched from outside, until it has been read again', async () => {
    const path = join(directory.path, 'sha256', sha256.slice(0, 2), sha256)
    await utimes(path, new Date(), new Date('2001-01-01'))
    expect(await trusted()).toBe(false)
    await store.touch(sha256)
    expect(await trusted()).toBe(false)
    await read()
    expect(await trusted()).toBe(true)
  })

  it('is one that was written again, whatever a reader of the old file finds', async () => {
    const reader = await store.open(sha256)
    await writeFile(join(directory.path, 'sha256', sha256.slice(0, 2), sha256), 'CONTENT')
    await store.write(Readable.from(['content']))
    await expect(buffer(reader.stream)).rejects.toMatchObject({ code: 'blob-corrupt' })
    expect(await store.touch(sha256)).toEqual({ length: 7 })
    await read()
    expect(await trusted()).toBe(true)
  })

  it('is not one that was deleted and restored', async () => {
    const path = join(directory.path, 'sha256', sha256.slice(0, 2), sha256)
    await store.delete(sha256)
    await writeFile(path, 'content')
    expect(await trusted()).toBe(false)
  })
})

describe('what an earlier process has found to be damaged', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  let sha256: string
  const states = new Map<string, string>()
  const observer = {
    judged: (digest: string, verdict: string, state: string) => {
      if (verdict === 'damaged') states.set(digest, state)
      else states.delete(digest)
    },
    givenOut: () => undefined,
    deleted: (digest: string) => void states.delete(digest),
  }
  const path = () => join(directory.path, 'sha256', sha256.slice(0, 2), sha256)
  const next = () => DirectoryBlobStore.open(directory.path, { damaged: [...states], observer })

  beforeEach(async () => {
    states.clear()
    directory = await temporaryDirectory()
    const store = await next()
    sha256 = (await store.write(Readable.from(['content']))).sha256
    await writeFile(path(), 'CONTENT')
    await expect(buffer((await store.open(sha256)).stream)).rejects.toMatchObject({ code: 'blob-corrupt' })
    await expect.poll(() => states.has(sha256)).toBe(true)
  })
  afterEach(() => directory.remove())

  it('is told at once, and is to be uploaded again', async () => {
    const store = await next()
    await expect(store.open(sha256)).rejects.toMatchObject({ code: 'blob-corrupt' })
    expect(await store.touch(sha256)).toBeUndefined()
    await store.write(Readable.from(['content']))
    expect(String(await buffer((await store.open(sha256)).stream))).toBe('content')
    expect(states.size).toBe(0)
  })

  it('is looked at again if the file was changed since, such as by a restored backup', async () => {
    await writeFile(path(), 'content')
    const store = await next()
    expect(String(await buffer((await store.open(sha256)).stream))).toBe('content')
    expect(states.size).toBe(0)
  })

  it('is no damage of a blob that was written again while a reader read the old file', async () => {
    const store = await next()
    await store.write(Readable.from(['content']))
    await writeFile(path(), 'CONTENT')
    const reader = await store.open(sha256)
    await store.write(Readable.from(['content']))
    await expect(buffer(reader.stream)).rejects.toMatchObject({ code: 'blob-corrupt' })
    await store.verify(sha256)
    expect(states.size).toBe(0)
  })
})

// fincore is in another package on some systems.
it.skipIf(!existsSync('/usr/bin/fincore'))(
  'a verification reads what is on the disk, and not what is cached, if it is to',
  async () => {
    // A file in memory has nothing else.
    const directory = await mkdtemp('/var/tmp/stagerd-test-')
    onTestFinished(() => rm(directory, { recursive: true }))
    const store = await DirectoryBlobStore.open(directory)
    const length = 16 * 2 ** 20
    const { sha256 } = await store.write(Readable.from([Buffer.alloc(length, 'x')]))
    const path = join(directory, 'sha256', sha256.slice(0, 2), sha256)
    const cachedAtFirst = async (fromDisk: boolean) => {
      let cached: number | undefined
      const pace = async () => {
        cached ??= Number((await runProcess('fincore', ['--bytes', '--noheadings', '--output', 'RES', path])).stdout)
      }
      expect(await store.verify(sha256, { fromDisk, pace })).toBe('sound')
      return cached
    }
    expect(await cachedAtFirst(false)).toBe(length)
    // What is read ahead is cached again.
    expect(await cachedAtFirst(true)).toBeLessThan(length)
    expect(await cachedAtFirst(false)).toBe(length)
  },
)
