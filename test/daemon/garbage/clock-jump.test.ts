import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Leases } from '../../../base/leases.js'
import { Collector, type CollectorParts } from '../../../daemon/garbage/collector.js'

const HOUR_MS = 60 * 60_000
const DAY_MS = 24 * HOUR_MS

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => void vi.useRealTimers())

/**
 * What a collection removes of two blobs: one of two hours ago, and one that is written now.
 *
 * @param inStore the times of both by the clock of the store, if that is another, and a later time since they were listed
 */
async function collected(
  written: { old: Date; fresh: Date },
  inStore?: { modifiedAt?: Date; storedAt: Date; now: Date },
) {
  const blobs = Object.entries(written).map(([sha256, modifiedAt]) => ({ sha256, length: 1, modifiedAt }))
  const parts = {
    references: {
      resources: () => Promise.resolve([]),
      history: () => Promise.resolve([]),
      stagings: () => Promise.resolve([]),
      forgetStagings: () => Promise.resolve([]),
    },
    blobs: {
      list: async function* () {
        yield* await Promise.resolve(blobs)
      },
      now: () => Promise.resolve(inStore?.now ?? new Date()),
      deleteIf: (id: string, unwanted: (modifiedAt: Date, storedAt: Date) => boolean) => {
        const at = inStore?.modifiedAt ?? written[id as keyof typeof written]
        return Promise.resolve(unwanted(at, inStore?.storedAt ?? at))
      },
    },
    live: new Leases(),
    prepared: { clear: () => Promise.resolve() },
    isolation: { caches: () => Promise.resolve([]), discard: () => Promise.resolve(true) },
    logs: { list: () => Promise.resolve([]), isTaken: () => false, delete: () => Promise.resolve() },
    graceMs: HOUR_MS,
  } as unknown as CollectorParts
  const removed = await new Collector(parts).collect({ dryRun: false, olderThanMs: 0, keepBytes: undefined })
  return removed.map(({ id }) => id)
}

it('an upload has its grace period, and an old one goes after it', async () => {
  const now = Date.now()
  expect(await collected({ old: new Date(now - 2 * HOUR_MS), fresh: new Date(now) })).toEqual(['old'])
})

it.each([
  ['forward', DAY_MS],
  ['back', -DAY_MS],
])('an upload keeps its grace period when the clock is set %s', async (_, jumpMs) => {
  const before = Date.now()
  vi.setSystemTime(before + jumpMs)
  const removed = await collected({ old: new Date(before - 2 * HOUR_MS), fresh: new Date(before) })
  expect(removed).not.toContain('fresh')
  expect(await collected({ old: new Date(before), fresh: new Date() })).not.toContain('fresh')
})

it('an upload of a node whose clock is behind has its grace period by the clock of the store', async () => {
  const [now, before] = [new Date(), new Date(Date.now() - 2 * HOUR_MS)]
  const both = { old: before, fresh: before }
  expect(await collected(both, { storedAt: now, now })).toEqual([])
  expect(await collected(both, { storedAt: before, now })).toEqual(['fresh', 'old'])
})

it('an upload keeps its grace period when the clock of the store is set forward', async () => {
  const now = new Date()
  const both = { old: now, fresh: now }
  expect(await collected(both, { storedAt: now, now: new Date(now.getTime() + DAY_MS) })).toEqual([])
})

it('an upload that was touched since it was listed stays when the clock of the store is set back meanwhile', async () => {
  const [now, before] = [new Date(), new Date(Date.now() - 2 * HOUR_MS)]
  const both = { old: before, fresh: before }
  expect(await collected(both, { modifiedAt: now, storedAt: before, now })).toEqual([])
})
