import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chooseGarbage, type Garbage } from '../../../daemon/garbage/choose.js'
import { GARBAGE_KINDS, type GarbageKind } from '../../../daemon/model/garbage.js'

const now = new Date('2026-01-31T00:00:00Z')
const HOUR = 3_600_000
const piece = (id: string, kind: GarbageKind, hours: number, bytes = 10): Garbage => ({
  id,
  kind,
  bytes,
  usedAt: new Date(now.getTime() - hours * HOUR),
})
const measure = { olderThanMs: 10 * HOUR, keepBytes: undefined, graceMs: HOUR }
const ids = (garbage: readonly Garbage[]) => garbage.map(({ id }) => id)

describe('the choice of garbage', () => {
  const all = [
    piece('old blob', 'blob', 20),
    piece('young blob', 'blob', 5),
    piece('fresh blob', 'blob', 0.5),
    piece('old layer', 'layer', 30),
    piece('young image', 'image', 2),
    piece('young staging', 'staging', 3),
    piece('old log', 'log', 11),
  ]

  it('includes everything older than the given age, oldest first', () => {
    expect(ids(chooseGarbage(all, measure, now))).toEqual(['old layer', 'old blob', 'old log'])
  })

  it('includes younger garbage until the rest is small enough, except stagings and recent uploads', () => {
    expect(ids(chooseGarbage(all, { ...measure, keepBytes: 10 }, now))).toEqual([
      'old layer',
      'old blob',
      'old log',
      'young blob',
    ])
    expect(ids(chooseGarbage(all, { ...measure, keepBytes: 0 }, now))).toContain('young image')
    expect(ids(chooseGarbage(all, { ...measure, keepBytes: 0, olderThanMs: 0 }, now))).not.toContain('fresh blob')
  })

  it('LAW: keeps recent uploads, keeps nothing old, and keeps at most `keepBytes`', () => {
    const anything = fc.array(
      fc.record({
        id: fc.string({ minLength: 1, maxLength: 3 }),
        kind: fc.constantFrom(...GARBAGE_KINDS),
        bytes: fc.nat(1000),
        usedAt: fc.nat(40).map((hours) => new Date(now.getTime() - hours * HOUR)),
      }),
    )
    fc.assert(
      fc.property(anything, fc.nat(40), fc.option(fc.nat(5000), { nil: undefined }), (garbage, hours, keepBytes) => {
        const olderThanMs = hours * HOUR
        const gone = new Set(chooseGarbage(garbage, { olderThanMs, keepBytes, graceMs: 2 * HOUR }, now))
        const age = ({ usedAt }: Garbage) => now.getTime() - usedAt.getTime()
        const isFresh = (one: Garbage) => one.kind === 'blob' && age(one) < 2 * HOUR
        for (const one of gone) expect(isFresh(one)).toBe(false)
        const stays = garbage.filter((one) => !gone.has(one) && !isFresh(one))
        for (const one of stays) expect(age(one)).toBeLessThan(olderThanMs)
        const stored = stays.filter(({ kind }) => kind === 'blob' || kind === 'layer' || kind === 'image')
        expect(stored.reduce((total, { bytes }) => total + bytes, 0)).toBeLessThanOrEqual(keepBytes ?? Infinity)
      }),
    )
  })
})
