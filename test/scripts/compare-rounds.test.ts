import { expect, test } from 'vitest'
import type { Row } from '../../scripts/bench.d/row.js'
import { compareRounds } from '../../scripts/bench.d/compare-rounds.js'

const AGAINST = { beside: 'HEAD~1 (abc1234)', allowance: 1.1 }

test('the ratio is the median of the ratios of the rounds', () => {
  // In the last round, the host is ten times slower for both.
  const { rows } = compareRounds(
    [
      { ours: [launch(100)], other: [launch(100)] },
      { ours: [launch(105)], other: [launch(100)] },
      { ours: [launch(1100)], other: [launch(1000)] },
    ],
    AGAINST,
  )
  expect(rows).toEqual([
    {
      work: 'launch',
      ours: 105,
      beside: 'HEAD~1 (abc1234)',
      other: 100,
      ratio: 1.05,
      target: 1.1,
      unit: 'ms',
      met: true,
    },
  ])
})

test('a ratio up to the allowance meets the target', () => {
  const ratio = (ours: number) => compareRounds([{ ours: [launch(ours)], other: [launch(100)] }], AGAINST).rows
  expect(ratio(110)).toMatchObject([{ ratio: 1.1, met: true }])
  expect(ratio(111)).toMatchObject([{ ratio: 1.11, met: false }])
})

test('the figures of other tools are not used', () => {
  const { rows } = compareRounds(
    [{ ours: [{ ...launch(100), other: 1 }], other: [{ ...launch(200), other: 7 }] }],
    AGAINST,
  )
  expect(rows).toMatchObject([{ ours: 100, other: 200, ratio: 0.5 }])
})

test('a work with rows for several tools is compared once', () => {
  const beside = (tool: string, ours: number): Row => ({ ...launch(ours), work: 'snapshot', beside: tool })
  const { rows } = compareRounds(
    [{ ours: [beside('buildah', 10), beside('docker', 10)], other: [beside('buildah', 20), beside('docker', 20)] }],
    AGAINST,
  )
  expect(rows).toHaveLength(1)
  expect(rows).toMatchObject([{ work: 'snapshot', ours: 10, other: 20 }])
})

test('rows are matched by their work, in any order', () => {
  const other = (ours: number): Row => ({ ...launch(ours), work: 'download' })
  const { rows } = compareRounds([{ ours: [launch(1), other(2)], other: [other(4), launch(3)] }], AGAINST)
  expect(rows).toMatchObject([
    { work: 'launch', ours: 1, other: 3 },
    { work: 'download', ours: 2, other: 4 },
  ])
})

test('a work that only one commit measures, or in another unit, is unmatched', () => {
  const mine: Row = { ...launch(1), work: 'restage' }
  const theirs: Row = { ...launch(1), work: 'memory', unit: 'KiB' }
  const { rows, unmatched } = compareRounds(
    [{ ours: [launch(100), mine, { ...theirs, unit: 'MiB' }], other: [launch(100), theirs] }],
    AGAINST,
  )
  expect(rows).toMatchObject([{ work: 'launch' }])
  expect(unmatched).toEqual(['restage', 'memory'])
})

test('a row that is missing in one round counts in the others', () => {
  const { rows } = compareRounds(
    [
      { ours: [launch(100)], other: [] },
      { ours: [launch(90)], other: [launch(100)] },
    ],
    AGAINST,
  )
  expect(rows).toMatchObject([{ ours: 90, other: 100, ratio: 0.9 }])
})

/** A row of one commit. */
function launch(ours: number): Row {
  return { work: 'launch', ours, beside: 'docker', other: 50, ratio: ours / 50, target: 1.15, unit: 'ms', met: true }
}
