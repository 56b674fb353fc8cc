import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BlobStore } from '../../../daemon/store/blob-store.js'
import { CachedBlobStore } from '../../../daemon/store/cached-blob-store.js'
import { modifiedKey, newDeletingKey, objectKey } from '../../../daemon/store/s3/blob-objects.js'
import { Bucket } from '../../../daemon/store/s3/bucket.js'
import { S3BlobStore } from '../../../daemon/store/s3/s3-blob-store.js'
import { describeBlobStore } from '../../contract/blob-store.js'
import { Authority } from '../../support/certificates.js'
import { HttpsFront } from '../../support/s3/https-front.js'
import { SwiftServer } from '../../support/s3/swift-server.js'
import { temporaryDirectory } from './temporary-directory.js'

/** How often two nodes meet at one blob. */
const ROUNDS = Number(process.env['LAW_RUNS'] ?? 10)

let server: SwiftServer
let whole: Bucket
beforeAll(async () => {
  server = await SwiftServer.open()
  whole = await Bucket.open(server.options)
})
afterAll(async () => {
  whole.close()
  await server.close()
})

/** A place of its own in the bucket of the server. */
const newBucket = () => whole.at(`${randomUUID()}/`)

/** All objects that belong to no blob, and uploads that have begun and not ended. */
async function strayObjects(bucket: Bucket): Promise<readonly string[]> {
  const keys: string[] = []
  for await (const { key } of bucket.list('')) keys.push(key)
  const uploads = await bucket.abortUploads('', new Date(Date.now() + 60_000))
  const isOfBlob = (key: string) =>
    /^blobs\/[^/]*\/(object|modified-.*)$/.test(key) && keys.includes(key.replace(/[^/]*$/, 'object'))
  return [...keys.filter((key) => !isOfBlob(key)), ...Array.from({ length: uploads }, () => 'upload')]
}

async function underTest(inFrontOf: (shared: S3BlobStore, directory: string) => Promise<BlobStore>) {
  const directory = await temporaryDirectory()
  const [spool, copies] = [join(directory.path, 'spool'), join(directory.path, 'copies')]
  const bucket = newBucket()
  const open = async () => await inFrontOf(await S3BlobStore.open(bucket, spool), copies)
  return {
    store: await open(),
    async flipBit(sha256: string, at: number) {
      const content = await buffer((await bucket.get(objectKey(sha256)))!.body)
      content[at]! ^= 1
      await bucket.put(objectKey(sha256), content)
      await rm(join(copies, 'sha256', sha256.slice(0, 2), sha256), { force: true })
    },
    leftovers: async () => [...(await readdir(spool)), ...(await strayObjects(bucket))],
    reopen: open,
    close: () => directory.remove(),
  }
}

describeBlobStore('S3BlobStore', async () => ({
  ...(await underTest((shared) => Promise.resolve(shared))),
  hasFiles: false,
}))

// The cache is tested in front of a directory, which takes less time.
if (process.env['LAW_RUNS'] !== undefined)
  describeBlobStore('CachedBlobStore in front of it', async () => ({
    ...(await underTest((shared, copies) => CachedBlobStore.open(shared, copies, { maxBytes: 1e9 }))),
    verifiesFirst: true,
  }))

const contentOf = async (store: S3BlobStore, sha256: string) => await buffer((await store.open(sha256)).stream)

describe('blobs in a bucket', () => {
  let bucket: Bucket
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  beforeAll(async () => {
    bucket = newBucket()
    directory = await temporaryDirectory()
  })
  afterAll(() => directory.remove())
  /** The store as one of several nodes has it. */
  const newNode = (of: Bucket = bucket) => S3BlobStore.open(of, join(directory.path, randomUUID()))
  const timeOf = async (store: S3BlobStore, sha256: string) => {
    let time = 0
    await store.deleteIf(sha256, (modifiedAt) => {
      time = modifiedAt.getTime()
      return false
    })
    return time
  }

  it('are written in parts when they are large, and in order', async () => {
    const [node, content] = [await newNode(), randomBytes(20_000_001)]
    const sha256 = createHash('sha256').update(content).digest('hex')
    const body = Readable.from([content.subarray(0, 7), content.subarray(7)], { objectMode: false })
    await node.write(body, { expected: { sha256, length: content.length } })
    expect((await contentOf(await newNode(), sha256)).equals(content)).toBe(true)
    for await (const { key, etag } of bucket.list(`blobs/${sha256}/object`))
      expect([key, etag]).toEqual([key, expect.stringMatching(/-3"$/)])
    await node.delete(sha256)
  })

  it('leave nothing of a large one that is not as announced, or breaks off', async () => {
    const node = await newNode()
    const sha256 = 'e'.repeat(64)
    const whole = () => Readable.from([randomBytes(20_000_000)], { objectMode: false })
    const broken = Readable.from(
      (async function* () {
        yield randomBytes(17_000_000)
        await Promise.reject(new Error('the cable was pulled'))
      })(),
      { objectMode: false },
    )
    const expected = { sha256, length: 20_000_000 }
    await expect(node.write(whole(), { expected })).rejects.toMatchObject({ code: 'digest-mismatch' })
    await expect(node.write(broken, { expected })).rejects.toThrow('the cable was pulled')
    expect(await strayObjects(bucket)).toEqual([])
    expect(await node.has(sha256)).toBe(false)
  })

  it('can be read by every node as soon as a write is acknowledged, and tell it their times', async () => {
    const [a, b] = [await newNode(), await newNode()]
    const { sha256, modifiedAt } = await a.write(Readable.from(['shared']))
    expect(String(await contentOf(b, sha256))).toBe('shared')
    expect(await timeOf(b, sha256)).toBe(modifiedAt.getTime())
    expect(await b.touch(sha256)).toEqual({ length: 6 })
    expect(await timeOf(a, sha256)).toBeGreaterThan(modifiedAt.getTime())
    await a.delete(sha256)
    expect([await b.has(sha256), await b.touch(sha256)]).toEqual([false, undefined])
  })

  it(
    'are not deleted by a node that has judged an earlier time than that of a touch that was acknowledged',
    async () => {
      const [a, b] = [await newNode(), await newNode()]
      for (let round = 0; round < ROUNDS; round++) {
        const { sha256, modifiedAt } = await a.write(Readable.from([`round ${round}`]))
        const isOld = (at: Date) => at.getTime() === modifiedAt.getTime()
        const [touched, deleted] = await Promise.all([
          delay(round % 40).then(() => b.touch(sha256)),
          a.deleteIf(sha256, isOld),
        ])
        expect([touched !== undefined, deleted, await a.has(sha256)]).toEqual([!deleted, deleted, !deleted])
        await a.delete(sha256)
      }
      expect(await strayObjects(bucket)).toEqual([])
    },
    30_000 + 1_000 * ROUNDS,
  )

  it('are cleared of what interrupted writes and deletions have left, when that is old', async () => {
    const node = await newNode()
    const { sha256 } = await node.write(Readable.from(['kept']))
    await bucket.create(newDeletingKey('a'.repeat(64)))
    await bucket.create(modifiedKey('b'.repeat(64), new Date()))
    await node.removeStale()
    expect(await strayObjects(bucket)).toHaveLength(2)
    await node.removeStale(-60_000)
    expect([await strayObjects(bucket), await node.has(sha256)]).toEqual([[], true])
    await node.delete(sha256)
  })

  it('say that the server does not answer, and are there when it does again', async () => {
    const open = (attempts: number) => Bucket.open({ ...server.options, prefix: 'restart/', attempts })
    const [impatient, patient] = [await open(2), await open(12)]
    const node = await newNode(impatient)
    const { sha256 } = await node.write(Readable.from(['kept']))
    await server.kill()
    const unavailable = { kind: 'unavailable', code: 'object-store-unavailable' }
    await expect(node.open(sha256)).rejects.toMatchObject(unavailable)
    await expect(node.touch(sha256)).rejects.toMatchObject(unavailable)
    await expect(node.write(Readable.from(['new']))).rejects.toMatchObject(unavailable)
    const meanwhile = contentOf(await newNode(patient), sha256)
    await server.start()
    expect(String(await meanwhile)).toBe('kept')
    expect(String(await contentOf(node, sha256))).toBe('kept')
    for (const one of [impatient, patient]) one.close()
  })

  it.each([
    ['another key', { credentials: { accessKeyId: 'test:tester', secretAccessKey: 'wrong' } }],
    ['a bucket that is not there', { bucket: 'another' }],
  ])('are refused with %s, once and for all', async (_what, options) => {
    await expect(Bucket.open({ ...server.options, ...options })).rejects.toMatchObject({ code: 'object-store-refused' })
  })
})

describe('a server behind https', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  let authority: Authority
  let front: HttpsFront
  beforeAll(async () => {
    directory = await temporaryDirectory()
    authority = await Authority.make(directory.path)
    front = await HttpsFront.open(server.options, await authority.issue('front'))
  })
  afterAll(async () => {
    await front.close()
    await directory.remove()
  })
  const open = async (authorities?: string) =>
    await Bucket.open({ ...front.options, prefix: `${randomUUID()}/`, attempts: 1, authorities })

  it('has a certificate of an authority that is trusted beside those of Node.js, or is not talked to', async () => {
    const trusted = await readFile(authority.certificate, 'utf8')
    const bucket = await open(trusted)
    await bucket.put('a name with / and ü', Buffer.from('content'))
    expect(String(await buffer((await bucket.get('a name with / and ü'))!.body))).toBe('content')
    bucket.close()
    await expect(open()).rejects.toMatchObject({ code: 'object-store-unavailable' })
  })

  it('that writes under a condition gives each name once, and so each time', async () => {
    const bucket = await open(await readFile(authority.certificate, 'utf8'))
    expect(bucket.writesConditionally).toBe(true)
    const created = await Promise.all(Array.from({ length: 4 }, () => bucket.create('name')))
    expect(created.toSorted()).toEqual([false, false, false, true])
    const [a, b] = await Promise.all(['a', 'b'].map((name) => S3BlobStore.open(bucket, join(directory.path, name))))
    const { sha256 } = await a!.write(Readable.from(['shared']))
    await Promise.all([a!.touch(sha256), b!.touch(sha256)])
    expect(String(await contentOf(b!, sha256))).toBe('shared')
    await a!.delete(sha256)
    expect(await strayObjects(bucket)).toEqual(['name'])
    bucket.close()
  })
})
