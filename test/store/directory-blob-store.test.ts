import { mkdir, open, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { DirectoryBlobStore } from '../../daemon/store/directory-blob-store.js'
import { describeBlobStore } from '../contract/blob-store.js'
import { temporaryDirectory } from './temporary-directory.js'

describeBlobStore('DirectoryBlobStore', async () => {
  const directory = await temporaryDirectory()
  return {
    store: await DirectoryBlobStore.open(directory.path),
    async flipBit(sha256, at) {
      const file = await open(join(directory.path, 'sha256', sha256.slice(0, 2), sha256), 'r+')
      const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at)
      await file.write(Buffer.of(buffer[0]! ^ 1), 0, 1, at)
      await file.close()
    },
    leftovers: () => readdir(join(directory.path, 'new')),
    reopen: () => DirectoryBlobStore.open(directory.path),
    close: () => directory.remove(),
  }
})

it('removes at start-up what an interrupted write left, and nothing else', async () => {
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

it('says that the disk is full, and leaves nothing', async () => {
  // Writing to /dev/full fails with ENOSPC: a disk that is full, without filling one.
  const full = await open('/dev/full', 'w')
  try {
    const { copyAndHash } = await import('../../daemon/store/blob-writer.js')
    const { withDiskFull } = await import('../../daemon/store/storage-errors.js')
    const error: unknown = await copyAndHash(Readable.from(['content']), full, {}).catch((e: unknown) => e)
    expect(withDiskFull(error, 'store the data')).toMatchObject({ code: 'disk-full', name: 'Unavailable' })
  } finally {
    await full.close()
  }
})
