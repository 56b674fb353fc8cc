import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sortInSlices } from '../../../isolation/snapshot/sort-in-slices.js'
import { TimeSlice } from '../../../isolation/snapshot/time-slice.js'

test('LAW: the result equals that of Array.sort, for any length', async () => {
  const texts = fc.tuple(fc.constantFrom(0, 1, 2047, 2048, 2049, 5000, 9999), fc.nat()).map(([count, seed]) => {
    let state = seed
    return Array.from({ length: count }, () => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31
      return `${String.fromCharCode(state % 256)}${state % 5000}`
    })
  })
  await fc.assert(
    fc.asyncProperty(texts, async (given) => {
      expect(await sortInSlices([...given], new TimeSlice(undefined))).toEqual([...given].sort())
    }),
    { numRuns: 30 },
  )
})

test('the event loop is not blocked, and an abort ends the sort', async () => {
  const many = () => Array.from({ length: 300_000 }, (_, index) => String((index * 7919) % 300_000))
  let turns = 0
  const counting = setInterval(() => (turns += 1), 1)
  await sortInSlices(many(), new TimeSlice(undefined))
  clearInterval(counting)
  expect(turns).toBeGreaterThan(10)
  const stop = new AbortController()
  const sorting = sortInSlices(many(), new TimeSlice(stop.signal))
  stop.abort(new Error('enough'))
  await expect(sorting).rejects.toThrow('enough')
})
