import fc from 'fast-check'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Holder, Leases } from '../../../base/leases.js'
import { Collector, type CollectorParts } from '../../../daemon/garbage/collector.js'
import { SharedHolds } from '../../../daemon/store/shared-holds.js'
import { allObjects, modifiedAt, modifiedKey, objectKey } from '../../../daemon/store/s3/blob-objects.js'
import { BlobTimes } from '../../../daemon/store/s3/blob-times.js'
import type { StoredObject } from '../../../daemon/store/s3/bucket.js'
import { lawRun } from '../../support/law-run.js'

const { parameters, timeout } = lawRun({ runs: 150, msPerRun: 100 })

const SHA256 = 'a'.repeat(64)
const GRACE_MS = 3_600_000
const logger = { warn: () => undefined }

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date', 'performance', 'setInterval', 'clearInterval'] }))
afterEach(() => void vi.useRealTimers())

/** A server with a clock of its own. Each request takes effect at one moment, after `delay`. */
class MemoryBucket {
  readonly objects = new Map<string, Date>()

  constructor(
    private readonly aheadMs: number,
    private readonly delay: () => Promise<unknown> = () => Promise.resolve(),
  ) {}

  now(): Date {
    return new Date(Date.now() + this.aheadMs)
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    await this.delay()
    const found = [...this.objects].filter(([key]) => key.startsWith(prefix)).sort()
    await this.delay()
    for (const [key, lastModified] of found) yield { key, length: 7, etag: '"e"', lastModified }
  }

  async create(key: string): Promise<boolean> {
    await this.delay()
    const isNew = !this.objects.has(key)
    if (isNew) this.objects.set(key, this.now())
    await this.delay()
    return isNew
  }

  async remove(key: string): Promise<void> {
    await this.delay()
    this.objects.delete(key)
    await this.delay()
  }
}

/** Nodes that share a bucket and the rows of a database. */
function fleet(aheadMs: number, delay?: () => Promise<unknown>) {
  const bucket = new MemoryBucket(aheadMs, delay)
  const rows = new Set<string>()
  const node = () => {
    let isCutOff = false
    const times = new BlobTimes(bucket, { deadMs: Infinity, pollMs: 1 })
    const live = new Leases()
    const blobs = {
      touches: 0,
      async touch(sha256: string) {
        if (isCutOff) throw new Error('cut off')
        this.touches += 1
        const renewed = await times.renew(sha256, () => true)
        return renewed && { length: renewed.object.length }
      },
      async write(sha256: string) {
        await times.announce(sha256)
        await delay?.()
        bucket.objects.set(objectKey(sha256), bucket.now())
        await times.written(sha256)
      },
      renewedAgo: (sha256: string) => times.renewedAgo(sha256),
      async *list() {
        for await (const blob of allObjects(bucket))
          if (blob.object) yield { sha256: blob.sha256, length: 7, modifiedAt: modifiedAt(blob) ?? new Date(0) }
      },
      deleteIf: (sha256: string, unwanted: (modifiedAt: Date, storedAt: Date) => boolean) =>
        times.deleteIf(sha256, unwanted),
      now: () => Promise.resolve(bucket.now()),
    }
    const holds = new SharedHolds({ blobs, live, graceMs: GRACE_MS, logger })
    live.keepBy(holds)
    const references = {
      resources: async () => {
        const now = [...rows].map((sha256) => ({ sha256, removals: [] }))
        await delay?.()
        return now
      },
      history: () => Promise.resolve([]),
      stagings: () => Promise.resolve([]),
      forgetStagings: () => Promise.resolve([]),
    }
    const collector = new Collector({
      ...{ references, blobs, live, graceMs: GRACE_MS },
      prepared: { clear: () => Promise.resolve() },
      isolation: { caches: () => Promise.resolve([]), discard: () => Promise.resolve(true) },
      logs: { list: () => Promise.resolve([]), isOpen: () => false, delete: () => Promise.resolve() },
    } as unknown as CollectorParts)
    const collect = () => collector.collect({ dryRun: false, olderThanMs: 0, keepBytes: undefined })
    const cutOff = (yes: boolean) => (isCutOff = yes)
    return { blobs, live, holds, collect, cutOff }
  }
  const withOldBlob = () => {
    const before = new Date(Date.now() - 10 * GRACE_MS)
    const stored = new Date(before.getTime() + aheadMs)
    bucket.objects.set(objectKey(SHA256), stored).set(modifiedKey(SHA256, before), stored)
  }
  return { bucket, rows, node, withOldBlob }
}

it(
  'no node deletes what another refers to, whenever it has found, held and confirmed that, and however long it was cut off',
  async () => {
    // Sixths of the grace period, between which the timer renews.
    const sixths = fc.tuple(fc.nat(4), fc.nat(9), fc.nat(4))
    const aheads = fc.constantFrom(0, 10 * GRACE_MS, -10 * GRACE_MS)
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), sixths, aheads, async (scheduler, [before, away, after], aheadMs) => {
        const { bucket, rows, node, withOldBlob } = fleet(aheadMs, () => scheduler.schedule(Promise.resolve()))
        withOldBlob()
        const [user, collector] = [node(), node()]
        const holder = new Holder()
        const cuts = [before, away, after].flatMap((sixth, phase) => Array.from({ length: sixth }, () => phase === 1))
        const use = async () => {
          if (!(await user.blobs.touch(SHA256))) await user.blobs.write(SHA256)
          user.live.hold(SHA256, holder)
          for (const cut of cuts) {
            await scheduler.schedule(Promise.resolve())
            vi.advanceTimersByTime(GRACE_MS / 6)
            user.cutOff(cut)
            await user.holds.renewHeld()
          }
          user.cutOff(false)
          await user.live.confirmAll(holder)
          await scheduler.schedule(Promise.resolve())
          rows.add(SHA256)
        }
        const collections = async () => {
          for (let one = 0; one < 5; one++) await collector.collect()
        }
        await scheduler.waitFor(Promise.all([use().catch(() => undefined), collections()]))
        if (rows.has(SHA256)) expect(bucket.objects.has(objectKey(SHA256))).toBe(true)
        if (!cuts.includes(true)) expect(rows.has(SHA256)).toBe(true)
      }),
      parameters,
    )
  },
  timeout,
)

it('what is held is renewed before it is old, and goes a grace period after it was held', async () => {
  const { bucket, node, withOldBlob } = fleet(0)
  const [user, collector] = [node(), node()]
  withOldBlob()
  const holder = new Holder()
  user.live.hold(SHA256, holder)
  user.holds.start()
  for (let hours = 0; hours < 5; hours++) {
    for (let minutes = 0; minutes < 60; minutes += 10) {
      await vi.advanceTimersByTimeAsync(GRACE_MS / 6)
    }
    expect(await collector.collect()).toEqual([])
  }
  holder.release()
  await vi.advanceTimersByTimeAsync(2 * GRACE_MS)
  expect(await collector.collect()).toMatchObject([{ id: SHA256 }])
  expect(bucket.objects.size).toBe(0)
  user.holds.stop()
})

it('what was renewed just now costs no request when it is held and confirmed', async () => {
  const { node, withOldBlob } = fleet(0)
  const { blobs, live } = node()
  withOldBlob()
  await blobs.touch(SHA256)
  for (let launch = 0; launch < 10; launch++) {
    const holder = new Holder()
    live.hold(SHA256, holder)
    await live.confirmAll(holder)
    holder.release()
  }
  expect(blobs.touches).toBe(1)
})

it('what was lost while the store was away is not referred to, and the reason has a code', async () => {
  const { bucket, node, withOldBlob } = fleet(0)
  const { blobs, live, cutOff } = node()
  withOldBlob()
  await blobs.touch(SHA256)
  cutOff(true)
  vi.advanceTimersByTime(GRACE_MS)
  await expect(live.confirm(SHA256)).rejects.toThrow('cut off')
  bucket.objects.clear()
  cutOff(false)
  await expect(live.confirm(SHA256)).rejects.toMatchObject({ kind: 'unavailable', code: 'data-gone' })
})
