import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LayerSource } from '../../../isolation/launch-plan.js'
import { collect } from '../../support/collect.js'
import { shrunkForAMinute, treesLaw } from '../../support/law-run.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'
import type { FileOperation } from '../support/file-operations.js'
import {
  initialLayers,
  inTree,
  operations,
  remedies,
  requestOf,
  snapshotOf,
  TREES,
  withoutRefused,
} from '../support/random-trees.js'
import { asRootsKeep, type SeenInside, shown } from '../support/seen-inside.js'
import { afterSnapshot, leftOut, refusals, type SnapshotOf } from '../support/snapshot-rule.js'
import { WorkingStager } from '../support/working-stager.js'

/**
 * LAW, for a chain of stagers in real containers: what one leaves, the next one finds, as docs/snapshots.md says, in its
 * root and under /stagerfs. A program in each container says what is there.
 *
 * The same law without containers has many more snapshots: law.test.ts.
 */
interface Stage {
  /** Of each tree. */
  readonly does: readonly (readonly FileOperation[])[]
  readonly snapshot: SnapshotOf
}

/** A container with one tree takes as long as one of many. */
const AT_ONCE = 24

const stage: fc.Arbitrary<Stage> = fc.record({
  does: fc.array(operations, { minLength: AT_ONCE, maxLength: AT_ONCE }),
  snapshot: snapshotOf(AT_ONCE, 1),
})

let under: DockerIsolationUnderTest
let initial: readonly LayerSource[]

beforeAll(async () => {
  under = await dockerIsolation()
  initial = initialLayers(AT_ONCE, (archive) => under.resources.add('tree', archive).sha256)
})
afterAll(() => under.close())

interface Found {
  readonly root: SeenInside
  readonly stagerfs: SeenInside
}

/** Has `work` done by a stager whose root and /stagerfs have these packages. Bottom first. */
async function inContainer<T>(
  packages: readonly LayerSource[],
  work: (stager: WorkingStager, found: Found) => Promise<T>,
) {
  const stager = await WorkingStager.launch(under, packages, packages)
  try {
    const found = { root: await stager.describe(TREES), stagerfs: await stager.describe(`/stagerfs${TREES}`) }
    return await work(stager, found)
  } finally {
    await stager.close()
  }
}

/** Performs a stage. Returns the snapshot, and what the next container has to find. */
async function perform(stager: WorkingStager, found: SeenInside, { does, snapshot }: Stage) {
  for (const [tree, operations] of does.entries()) await stager.perform(inTree(tree, operations))
  const wrong = refusals({ found, left: await stager.describe(TREES) }, snapshot)
  await stager.perform(remedies(wrong))
  const of = withoutRefused(snapshot, wrong)
  const left = await stager.describe(TREES)
  const taken = await stager.running.snapshot(requestOf(of), collect)
  expect(taken.leftOut).toEqual(leftOut({ found, left }, of))
  const layer = { ...under.resources.add('snapshot', taken.written), removals: taken.removals }
  return { layer, next: afterSnapshot({ found, left }, of) }
}

const law = treesLaw({ trees: AT_ONCE, atOnce: AT_ONCE, msPerRun: 30_000 })

test('LAW: what a stager leaves in its container, the next one finds', { timeout: law.timeout }, async () => {
  await fc.assert(
    fc.asyncProperty(
      stage,
      stage,
      shrunkForAMinute(async (first: Stage, second: Stage) => {
        const one = await inContainer(initial, (stager, { root }) => perform(stager, root, first))
        const two = await inContainer([...initial, one.layer], (stager, { root, stagerfs }) => {
          expect(shown(stagerfs)).toEqual(shown(one.next))
          expect(shown(asRootsKeep(root))).toEqual(shown(asRootsKeep(one.next)))
          return perform(stager, root, second)
        })
        await inContainer([...initial, one.layer, two.layer], (_, { root, stagerfs }) => {
          // The second stager began with what a root keeps of the first snapshot. /stagerfs has all of it.
          expect(shown(asRootsKeep(stagerfs))).toEqual(shown(asRootsKeep(two.next)))
          expect(shown(asRootsKeep(root))).toEqual(shown(asRootsKeep(two.next)))
          return Promise.resolve()
        })
      }),
    ),
    law.parameters,
  )
})
