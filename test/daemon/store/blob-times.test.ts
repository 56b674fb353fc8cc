import fc from 'fast-check'
import { expect, it, onTestFinished, vi } from 'vitest'
import { modifiedKey, newDeletingKey, objectKey } from '../../../daemon/store/s3/blob-objects.js'
import { BlobTimes } from '../../../daemon/store/s3/blob-times.js'
import type { StoredObject } from '../../../daemon/store/s3/bucket.js'
import { lawRun } from '../../support/law-run.js'

const { parameters, timeout } = lawRun({ runs: 60, msPerRun: 100 })

const SHA256 = 'a'.repeat(64)
const OLD = new Date(1_700_000_000_000)

/** A server: each request takes effect at one moment, after `delay`. */
class MemoryBucket {
  readonly keys = new Set<string>()

  constructor(
    readonly writesConditionally = true,
    private readonly delay: () => Promise<unknown> = () => Promise.resolve(),
  ) {}

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    await this.delay()
    const found = [...this.keys].filter((key) => key.startsWith(prefix)).sort()
    await this.delay()
    for (const key of found) yield { key, length: 7, etag: '"e"', lastModified: OLD }
  }

  async create(key: string): Promise<boolean> {
    await this.delay()
    const isNew = !this.keys.has(key)
    if (isNew || !this.writesConditionally) this.keys.add(key)
    await this.delay()
    return isNew || !this.writesConditionally
  }

  async remove(key: string): Promise<void> {
    await this.delay()
    this.keys.delete(key)
    await this.delay()
  }
}

const isOld = (at: Date) => at.getTime() === OLD.getTime()
const withBlob = (bucket: MemoryBucket) => {
  bucket.keys.add(objectKey(SHA256)).add(modifiedKey(SHA256, OLD))
  return bucket
}

it(
  'in whatever order the requests of nodes take effect, no blob is deleted whose touch or write was acknowledged',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.constantFrom('touch', 'write'), async (scheduler, what) => {
        const bucket = withBlob(new MemoryBucket(true, () => scheduler.schedule(Promise.resolve())))
        const newNode = () => new BlobTimes(bucket, { pollMs: 1 })
        const [a, b, c] = [newNode(), newNode(), newNode()]
        const use = async () => {
          if (what === 'touch') return await a.renew(SHA256, () => true)
          await a.announce(SHA256)
          await scheduler.schedule(Promise.resolve())
          bucket.keys.add(objectKey(SHA256))
          return await a.written(SHA256)
        }
        const all = Promise.all([use(), b.deleteIf(SHA256, isOld), c.deleteIf(SHA256, isOld)])
        const [used] = await scheduler.waitFor(all)
        expect(bucket.keys.has(objectKey(SHA256))).toBe(used !== undefined)
        expect([...bucket.keys].some((key) => key.includes('deleting'))).toBe(false)
        if (what === 'write') expect(used).toBeDefined()
      }),
      parameters,
    )
  },
  timeout,
)

it(
  'in whatever order two nodes renew a time, one of theirs stays',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        const bucket = withBlob(new MemoryBucket(true, () => scheduler.schedule(Promise.resolve())))
        const renew = () => new BlobTimes(bucket).renew(SHA256, () => true)
        const renewed = await scheduler.waitFor(Promise.all([renew(), renew()]))
        const given = renewed.map((one) => modifiedKey(SHA256, one!.modifiedAt))
        const left = [...bucket.keys].filter((key) => key !== objectKey(SHA256))
        expect(left.length).toBeGreaterThan(0)
        expect(given).toEqual(expect.arrayContaining(left))
      }),
      parameters,
    )
  },
  timeout,
)

it('a time is given once among nodes, where the server writes conditionally', async () => {
  vi.spyOn(Date, 'now').mockReturnValue(1_796_019_248_123)
  onTestFinished(() => void vi.restoreAllMocks())
  for (const writesConditionally of [true, false]) {
    const bucket = withBlob(new MemoryBucket(writesConditionally))
    const [a, b] = [new BlobTimes(bucket), new BlobTimes(bucket)]
    const both = await Promise.all([a.renew(SHA256, () => true), b.renew(SHA256, () => true)])
    const times = new Set(both.map((one) => one?.modifiedAt.getTime()))
    expect(times.size).toBe(writesConditionally ? 2 : 1)
  }
})

it('a deletion that does not end is taken for dead after a while', async () => {
  const bucket = withBlob(new MemoryBucket())
  bucket.keys.add(newDeletingKey(SHA256))
  const renewed = await new BlobTimes(bucket, { deadMs: 100 }).renew(SHA256, () => true)
  expect(renewed).toMatchObject({ before: OLD })
  expect([...bucket.keys].sort()).toEqual([modifiedKey(SHA256, renewed!.modifiedAt), objectKey(SHA256)])
})
