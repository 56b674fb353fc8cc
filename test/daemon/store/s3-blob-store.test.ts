import { randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll } from 'vitest'
import { objectKey } from '../../../daemon/store/s3/blob-objects.js'
import { Bucket } from '../../../daemon/store/s3/bucket.js'
import { S3BlobStore } from '../../../daemon/store/s3/s3-blob-store.js'
import { describeBlobStore } from '../../contract/blob-store.js'
import { SwiftServer } from '../../support/s3/swift-server.js'
import { temporaryDirectory } from './temporary-directory.js'

let server: SwiftServer
beforeAll(async () => {
  server = await SwiftServer.open()
})
afterAll(async () => {
  await server.close()
})

/** A place of its own in the bucket of the server. */
async function newBucket(): Promise<Bucket> {
  return await Bucket.open({ ...server.options, prefix: `${randomUUID()}/` })
}

/** All objects that belong to no blob, and uploads that have begun and not ended. */
async function strayObjects(bucket: Bucket): Promise<readonly string[]> {
  const keys: string[] = []
  for await (const { key } of bucket.list('')) keys.push(key)
  const uploads = await bucket.abortUploads(new Date(Date.now() + 60_000))
  const isOfBlob = (key: string) =>
    /^blobs\/[^/]*\/(object|modified-.*)$/.test(key) && keys.includes(key.replace(/[^/]*$/, 'object'))
  return [...keys.filter((key) => !isOfBlob(key)), ...Array.from({ length: uploads }, () => 'upload')]
}

describeBlobStore('S3BlobStore', async () => {
  const directory = await temporaryDirectory()
  const bucket = await newBucket()
  const open = () => S3BlobStore.open(bucket, directory.path)
  return {
    store: await open(),
    hasFiles: false,
    async flipBit(sha256, at) {
      const content = await buffer((await bucket.get(objectKey(sha256)))!.body)
      content[at]! ^= 1
      await bucket.put(objectKey(sha256), content)
    },
    leftovers: async () => [...(await readdir(directory.path)), ...(await strayObjects(bucket))],
    reopen: open,
    async close() {
      bucket.close()
      await directory.remove()
    },
  }
})
