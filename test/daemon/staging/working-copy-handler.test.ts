import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { Holder, Leases } from '../../../base/leases.js'
import type { RunningContainer } from '../../../isolation/isolation.js'
import {
  WorkingCopyHandler,
  type OwningLaunch,
  type WorkingCopyParts,
} from '../../../daemon/staging/working-copy-handler.js'
import type { Staging } from '../../../daemon/model/staging.js'
import { DirectoryBlobStore } from '../../../daemon/store/directory-blob-store.js'
import { temporaryDirectory } from '../store/temporary-directory.js'

const [BEFORE, AFTER] = ['a'.repeat(64), 'b'.repeat(64)]
const { signal } = new AbortController()
const report = {
  written: { sha256: AFTER, sha1: 'c'.repeat(40), length: 5 },
  removals: [],
  leftOut: { sockets: 1, special: 0 },
}

/** The handler of a launch whose snapshot skips a socket, and the digests of the blobs that it has opened. */
function openHandler(say: OwningLaunch['log']) {
  const opened: string[] = []
  const openTrusted = (sha256: string) => {
    opened.push(sha256)
    return Promise.resolve({ trustedFile: {} })
  }
  const parts = {
    blobs: { open: openTrusted },
    quota: { of: () => Promise.resolve(Infinity) },
    liveBlobs: new Leases(),
    launchBytes: Infinity,
  }
  const staging = { packageFqn: 'package::/::app', work: { resource: { sha256: BEFORE, compression: 'gzip' } } }
  const running = { snapshot: () => Promise.resolve(report) }
  const launch: OwningLaunch = {
    uuid: 'launch',
    holder: new Holder(),
    assertOpen: () => undefined,
    running: () => Promise.resolve(running as unknown as RunningContainer),
    needlessRelaunch: () => Promise.resolve(undefined),
    settle: () => Promise.resolve(),
    uploads: { add: () => undefined, discard: () => Promise.resolve() },
    exceedData: () => undefined,
    log: say,
  }
  const handler = new WorkingCopyHandler(launch, staging as unknown as Staging, parts as unknown as WorkingCopyParts)
  return { handler, opened }
}

const snapshot = (handler: WorkingCopyHandler) => handler.snapshot({}, new AbortController().signal)

it('a snapshot that skips entries logs their number, and replaces the data', async () => {
  const said: string[] = []
  const { handler, opened } = openHandler((text) => Promise.resolve(void said.push(text)))
  await snapshot(handler)
  await handler.openData(signal)
  expect(said).toEqual(['The snapshot leaves out 1 socket: a package cannot contain them.'])
  expect(opened).toEqual([AFTER])
})

it('a snapshot whose skipped entries cannot be logged does not replace the data', async () => {
  const { handler, opened } = openHandler(() => Promise.reject(new Error('ENOSPC')))
  await expect(snapshot(handler)).rejects.toThrow('ENOSPC')
  await handler.openData(signal)
  expect(opened).toEqual([BEFORE])
})

it('a snapshot is rejected if the launch ends while the skipped entries are logged', async () => {
  const { handler } = openHandler(() => {
    handler.close()
    return Promise.resolve()
  })
  await expect(snapshot(handler)).rejects.toMatchObject({ code: 'launch-over' })
})

it('data that cannot be recompressed leaves no file open', async () => {
  const stream = Readable.from(['data'])
  const parts = {
    blobs: { open: () => Promise.resolve({ stream, length: 4, trustedFile: {} }) },
    toGzip: () => Promise.reject(new Error('pigz is not installed')),
  }
  const launch = { assertOpen: () => undefined }
  const staging = { packageFqn: 'package::/::app', work: { resource: { sha256: BEFORE, compression: 'xz' } } }
  const handler = new WorkingCopyHandler(
    launch as unknown as OwningLaunch,
    staging as unknown as Staging,
    parts as unknown as WorkingCopyParts,
  )
  await expect(handler.openData(signal)).rejects.toThrow('pigz is not installed')
  expect(stream.destroyed).toBe(true)
})

it.each(['gzip', 'xz'])(
  'damaged data that is stored as %s is refused before any of it is passed on',
  async (compression) => {
    const directory = await temporaryDirectory()
    try {
      const blobs = await DirectoryBlobStore.open(directory.path)
      const { sha256 } = await blobs.write(Readable.from([Buffer.alloc(2_000_000, 'data')]))
      const file = await open(join(directory.path, 'sha256', sha256.slice(0, 2), sha256), 'r+')
      await file.write('D', 1_999_999)
      await file.close()
      const parts = { blobs, toGzip: () => Promise.reject(new Error('it is not recompressed')) }
      const staging = { packageFqn: 'package::/::app', work: { resource: { sha256, compression } } }
      const handler = new WorkingCopyHandler(
        { assertOpen: () => undefined } as unknown as OwningLaunch,
        staging as unknown as Staging,
        parts as unknown as WorkingCopyParts,
      )
      await expect(handler.openData(signal)).rejects.toMatchObject({ code: 'blob-corrupt' })
    } finally {
      await directory.remove()
    }
  },
)
