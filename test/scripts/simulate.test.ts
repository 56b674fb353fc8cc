import { expect, test } from 'vitest'
import { FLEET, type Fleet } from '../../scripts/simulate.d/fleet.js'
import type { Figures } from '../../scripts/simulate.d/figures.js'
import { erlangB, modelOf } from '../../scripts/simulate.d/model.js'
import { partsOf } from '../../scripts/simulate.d/parts.js'
import { simulate } from '../../scripts/simulate.d/simulation.js'

/** A fleet whose figures do not need many events to become steady. */
const SMALL: Fleet = { ...FLEET, nodes: 200, stagingsPerDay: 1_300_000, packages: 5_000, cacheGiB: 20 }
const COURSE = { seconds: 600, seed: 1 }

/** The simulation is one course of chance; a formula without one of its terms is further away than this. */
function expectAgreement(model: Figures, simulated: Figures): void {
  const ratios = Object.entries(model).map(([name, value]) => [name, value / simulated[name as keyof Figures]] as const)
  for (const [name, ratio] of ratios) expect(Math.abs(Math.log(ratio)), `${name}: ${ratio}`).toBeLessThan(0.12)
}

const FLEETS: readonly (readonly [string, Partial<Fleet>])[] = [
  ['half full', {}],
  ['nearly full', { stagingsPerDay: 1_950_000 }],
  ['with long and short stagings', { stagingSpread: 1.5, slots: 12 }],
  ['with one slot for each node', { slots: 1, nodes: 1_500 }],
  ['that tells every node of every staging', { wake: 'all', nodes: 100, stagingsPerDay: 700_000 }],
  ['with caches that are too small, and packages that are used alike', { cacheGiB: 2, popularity: 0.6 }],
]
test.each(FLEETS)('the model of a fleet agrees with its simulation: one %s', (_, change) => {
  const fleet = { ...SMALL, ...change }
  expectAgreement(modelOf(fleet), simulate(fleet, COURSE))
})

test('the same seed is the same course', () => {
  const course = { seconds: 60, seed: 7 }
  expect(simulate(SMALL, course)).toEqual(simulate(SMALL, course))
})

test("Erlang's formula gives the values of its tables", () => {
  expect(erlangB(1, 1)).toBe(0.5)
  expect(erlangB(10, 5)).toBeCloseTo(0.0184, 4)
})

test('a fleet whose slots are not enough has no model', () => {
  expect(() => modelOf({ ...SMALL, stagingsPerDay: 4_000_000 })).toThrow(/times the slots/)
})

test('the part that gives out first is first, and larger when there is more to do', () => {
  const small = partsOf(SMALL, modelOf(SMALL))
  const shares = small.map(({ needed, available }) => needed / available)
  expect(shares).toEqual(shares.toSorted((a, b) => b - a))
  const more = { ...SMALL, stagingsPerDay: SMALL.stagingsPerDay * 1.2 }
  const transfers = (parts: typeof small) => parts.find(({ name }) => name === 'transfers of the object store')!.needed
  expect(transfers(partsOf(more, modelOf(more))) / transfers(small)).toBeCloseTo(1.2)
})
