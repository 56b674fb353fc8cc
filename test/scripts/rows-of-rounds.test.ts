import { expect, test } from 'vitest'
import type { Row } from '../../scripts/bench.d/row.js'
import { rowsOfRounds } from '../../scripts/bench.d/rows-of-rounds.js'

const AGAINST = { beside: 'HEAD~1 (abc1234)', allowance: 1.1 }

test('each round is a pair: the ratio is the median of the ratios of the rounds', () => {
  // The host is ten times slower in the last round, for both.
  const { rows } = rowsOfRounds(
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

test('a ratio up to the allowance meets the target, and one above it does not', () => {
  const ratio = (ours: number) => rowsOfRounds([{ ours: [launch(ours)], other: [launch(100)] }], AGAINST).rows
  expect(ratio(110)).toMatchObject([{ ratio: 1.1, met: true }])
  expect(ratio(111)).toMatchObject([{ ratio: 1.11, met: false }])
})

test('what the other tools took does not count', () => {
  const { rows } = rowsOfRounds(
    [{ ours: [{ ...launch(100), other: 1 }], other: [{ ...launch(200), other: 7 }] }],
    AGAINST,
  )
  expect(rows).toMatchObject([{ ours: 100, other: 200, ratio: 0.5 }])
})

test('a work that has a row for each of several tools is compared once', () => {
  const beside = (tool: string, ours: number): Row => ({ ...launch(ours), work: 'snapshot', beside: tool })
  const { rows } = rowsOfRounds(
    [{ ours: [beside('buildah', 10), beside('docker', 10)], other: [beside('buildah', 20), beside('docker', 20)] }],
    AGAINST,
  )
  expect(rows).toHaveLength(1)
  expect(rows).toMatchObject([{ work: 'snapshot', ours: 10, other: 20 }])
})

test('rows are matched by their work, in whatever order the commits measure', () => {
  const other = (ours: number): Row => ({ ...launch(ours), work: 'download' })
  const { rows } = rowsOfRounds([{ ours: [launch(1), other(2)], other: [other(4), launch(3)] }], AGAINST)
  expect(rows).toMatchObject([
    { work: 'launch', ours: 1, other: 3 },
    { work: 'download', ours: 2, other: 4 },
  ])
})

test('a work that only one of the commits measures, or in another unit, is named and not compared', () => {
  const mine: Row = { ...launch(1), work: 'restage' }
  const theirs: Row = { ...launch(1), work: 'memory', unit: 'KiB' }
  const { rows, unmatched } = rowsOfRounds(
    [{ ours: [launch(100), mine, { ...theirs, unit: 'MiB' }], other: [launch(100), theirs] }],
    AGAINST,
  )
  expect(rows).toMatchObject([{ work: 'launch' }])
  expect(unmatched).toEqual(['restage', 'memory'])
})

test('a row without a figure in one round counts in the others', () => {
  const { rows } = rowsOfRounds(
    [
      { ours: [launch(100)], other: [] },
      { ours: [launch(90)], other: [launch(100)] },
    ],
    AGAINST,
  )
  expect(rows).toMatchObject([{ ours: 90, other: 100, ratio: 0.9 }])
})

/** As one commit measures it, beside a tool. */
function launch(ours: number): Row {
  return { work: 'launch', ours, beside: 'docker', other: 50, ratio: ours / 50, target: 1.15, unit: 'ms', met: true }
}
