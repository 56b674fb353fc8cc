import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Leases } from '../../../base/leases.js'
import { Collector, type CollectorParts } from '../../../daemon/garbage/collector.js'

const HOUR_MS = 60 * 60_000
const DAY_MS = 24 * HOUR_MS

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => void vi.useRealTimers())

/** What a collection removes of two blobs: one of two hours ago, and one that is written now. */
async function collected(written: { old: Date; fresh: Date }) {
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
      deleteIf: (id: string, unwanted: (modifiedAt: Date) => boolean) =>
        Promise.resolve(unwanted(written[id as keyof typeof written])),
    },
    live: new Leases(),
    prepared: { clear: () => Promise.resolve() },
    isolation: { caches: () => Promise.resolve([]), discard: () => Promise.resolve(true) },
    logs: { list: () => Promise.resolve([]), isOpen: () => false, delete: () => Promise.resolve() },
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
