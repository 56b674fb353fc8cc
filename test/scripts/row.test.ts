import { expect, test } from 'vitest'
import { median, rowOf } from '../../scripts/bench.d/row.js'

test('median of an odd and of an even number of values', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
})

test('the ratio of a row is the median of the ratios of its pairs', () => {
  const pairs = [
    { ours: 10, other: 10 },
    { ours: 30, other: 20 },
    { ours: 200, other: 100 },
  ]
  const row = rowOf({ work: 'launch', beside: 'docker', target: 1.15, unit: 'ms' }, pairs)
  expect(row).toMatchObject({ ours: 30, other: 20, ratio: 1.5, met: false })
})
