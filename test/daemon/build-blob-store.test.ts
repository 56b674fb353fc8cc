import { chmod, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { CleanupStack } from '../../base/cleanup-stack.js'
import { Leases } from '../../base/leases.js'
import { buildBlobStore } from '../../daemon/build-blob-store.js'
import { temporaryDirectory } from './store/temporary-directory.js'

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
beforeEach(async () => {
  directory = await temporaryDirectory()
})
afterEach(() => directory.remove())

const file = (name: string) => join(directory.path, name)

async function build(settings: Partial<Parameters<typeof buildBlobStore>[0]['settings']>) {
  const { blobs } = await buildBlobStore(
    {
      settings: {
        ...{ store: 's3', endpoint: 'http://127.0.0.1:9', bucket: 'packages', prefix: '', region: 'us-east-1' },
        ...{ credentials: undefined, cacheBytes: 1000 },
        ...settings,
      },
      state: { blobs: file('blobs'), blobCache: file('blob-cache') },
      authorities: undefined,
      known: {},
      ...{ databaseId: '7c7b0e8e-96d5-4c0a-8ad4-4c0d3ac7a7f1', live: new Leases(), graceMs: 3_600_000 },
      lease: undefined,
      logger: { info: () => undefined, warn: () => undefined },
    },
    new CleanupStack(),
  )
  return blobs
}

it('blobs are files of the state directory unless it is told otherwise', async () => {
  const store = await build({ store: 'directory' })
  await store.write(Readable.from(['content']))
  expect(await readdir(directory.path)).toEqual(['blobs'])
})

it('a bucket is refused when there are blobs in the state directory, whose packages would lose their data', async () => {
  const { sha256 } = await (await build({ store: 'directory' })).write(Readable.from(['content']))
  await expect(build({})).rejects.toMatchObject({ code: 'blobs-in-directory' })
  expect(await (await build({ store: 'directory' })).has(sha256)).toBe(true)
})

it('a bucket has a name', async () => {
  await expect(build({ bucket: undefined })).rejects.toMatchObject({ code: 'bad-settings' })
})

it.each([
  ['may be read by others', 'access\nhidden\n', 0o640, /mode 0600/],
  ['has one line', 'hidden', 0o600, /two lines/],
  ['has more lines', 'access\nhidden\nmore', 0o600, /two lines/],
])('a file of credentials is refused that %s, and is not shown', async (_what, content, mode, message) => {
  await writeFile(file('credentials'), content)
  await chmod(file('credentials'), mode)
  const refused = (await build({ credentials: file('credentials') }).catch((error: unknown) => error)) as Error
  expect(refused).toMatchObject({ code: 'bad-settings', message: expect.stringMatching(message) as string })
  expect(refused.message).not.toContain('hidden')
})

it('a file of credentials that is not there is told', async () => {
  await expect(build({ credentials: file('missing') })).rejects.toMatchObject({ code: 'bad-settings' })
})
