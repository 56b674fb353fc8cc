import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { StagerdError } from '../../../base/errors.js'
import { type Compressor, chooseCompressor } from '../../../isolation/archive/compressor.js'
import type { LayerSource } from '../../../isolation/launch-plan.js'
import { LayerDirectoryCache } from '../../../isolation/layers/layer-cache.js'
import { takeSnapshot } from '../../../isolation/snapshot/snapshot.js'
import { collect } from '../../support/collect.js'
import { shrunkForAMinute, treesLaw } from '../../support/law-run.js'
import { MemoryResources } from '../../support/memory-resources.js'
import { ChrootStager } from '../support/chroot-stager.js'
import type { FileOperation, FileOperations } from '../support/file-operations.js'
import { OverlayScratch } from '../support/overlay.js'
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
import { type SeenInside, shown } from '../support/seen-inside.js'
import { afterSnapshot, isInSnapshot, leftOut, refusals, type SnapshotOf } from '../support/snapshot-rule.js'

/**
 * LAW, for a chain of stagers: what one leaves, the next one finds, as docs/snapshots.md says. The snapshot of each is a
 * layer below the next one; a program whose root is the overlay says what is in it.
 *
 * LAW, for each snapshot: plain tar unpacks from it, by itself, what the stager left, and nothing that is excluded.
 */
interface Stage {
  /** Of each tree. */
  readonly does: readonly (readonly FileOperation[])[]
  readonly snapshot: SnapshotOf
  /** Of the overlay. Some hosts have them on by default. */
  readonly redirects: 'on' | 'off'
}

/** A snapshot of one tree takes as long as one of several. */
const AT_ONCE = 10

const stage: fc.Arbitrary<Stage> = fc.record({
  does: fc.array(operations, { minLength: AT_ONCE, maxLength: AT_ONCE }),
  snapshot: snapshotOf(AT_ONCE, 3),
  redirects: fc.oneof(
    { weight: 3, arbitrary: fc.constant('off' as const) },
    { weight: 1, arbitrary: fc.constant('on' as const) },
  ),
})
const chain = fc.noBias(fc.array(stage, { minLength: 2, maxLength: 3 }))

let scratch: OverlayScratch
let compressor: Compressor
let resources: MemoryResources
/** Topmost first. */
let initial: readonly string[]

beforeAll(async () => {
  scratch = new OverlayScratch()
  compressor = await chooseCompressor()
  resources = new MemoryResources()
  const tools = scratch.path('tools')
  mkdirSync(join(tools, 'bin'), { recursive: true })
  copyFileSync('/bin/busybox', join(tools, 'bin/busybox'))
  const cache = await layersIn(scratch)
  const layers: string[] = [tools]
  for (const source of initialLayers(AT_ONCE, (archive) => resources.add(archive)))
    layers.unshift((await materialise(cache, source)).tree)
  initial = layers
})
afterAll(() => scratch.remove())

async function layersIn(scratch: OverlayScratch): Promise<LayerDirectoryCache> {
  return await LayerDirectoryCache.open({ directory: scratch.path('layers'), resources })
}

async function materialise(cache: LayerDirectoryCache, source: LayerSource) {
  const layer = await cache.materialise(source, new AbortController().signal)
  return { layer, tree: join(cache.directory, layer.relativePath) }
}

/** Layers, topmost first, and what is in them; undefined for the initial ones. */
interface Begun {
  readonly lowers: readonly string[]
  readonly expected?: SeenInside
}

/** Performs a stage, and returns what the next one begins with. */
async function perform(
  scratch: OverlayScratch,
  cache: LayerDirectoryCache,
  begun: Begun,
  stage: Stage,
): Promise<Begun> {
  const { lowers } = begun
  const { merged, upper } = scratch.mount(lowers, stage)
  return await inRoot(merged, async (program) => {
    const found = await look(program, begun)
    for (const [tree, does] of stage.does.entries()) await program.perform(inTree(tree, does))
    let left = await program.describe(TREES)
    let of = stage.snapshot
    const mayBeMarked =
      stage.redirects === 'on' && stage.does.flat().some(([name]) => ['rename', 'exchange', 'move'].includes(name))
    const take = async () => await takeSnapshot({ upper, lowers, compressor, ...requestOf(of) }, collect)

    let wrong = refusals({ found, left }, of)
    // Twice: whoever asks for everything, because the directory does not exist, may be refused for something else.
    for (let refused = 0; wrong.length > 0 && refused < 2; refused++) {
      const codes = wrong.map(({ code }): string => code)
      expect(mayBeMarked ? [...codes, 'overlay-redirect'] : codes).toContain(await codeOfRefusal(take()))
      // What the refusal recommends.
      of = withoutRefused(of, wrong)
      await program.perform(remedies(wrong))
      left = await program.describe(TREES)
      wrong = refusals({ found, left }, of)
    }
    expect(wrong).toEqual([])
    // A directory that is back where it was is still marked. A refused snapshot changes nothing.
    if (mayBeMarked && (await codeOfRefusal(take())) === 'overlay-redirect') return { lowers, expected: found }
    const taken = await take()
    const expected = afterSnapshot({ found, left }, of)
    expect(taken.leftOut).toEqual(leftOut({ found, left }, of))
    expect(gunzipSync(taken.written).includes('trusted.')).toBe(false)
    const alone = await unpacked(scratch, taken.written)
    expect([...alone.keys()].filter((path) => !isInSnapshot(path, of))).toEqual([])
    expect(shown(alone)).toEqual(shown(new Map([...expected].filter(([path]) => alone.has(path)))))

    const source = { sha256: resources.add(taken.written), removals: taken.removals, name: 'snapshot' }
    const { layer, tree } = await materialise(cache, source)
    // The Engine gets the same bytes each time.
    await (await layer.asImageLayer(new AbortController().signal)).openTar().then(collect)
    // Stagings that leave the same have one layer: see isolation/launch/lower-directories.ts.
    return { lowers: [...new Set([tree, ...lowers])], expected }
  })
}

async function codeOfRefusal(snapshot: Promise<unknown>): Promise<string> {
  try {
    await snapshot
    return 'none'
  } catch (error) {
    if (error instanceof StagerdError) return error.code
    throw error
  }
}

/** What a program sees of the archive where plain tar has unpacked it. */
async function unpacked(scratch: OverlayScratch, archive: Buffer): Promise<SeenInside> {
  const directory = scratch.path('unpacked')
  execFileSync('rm', ['-rf', '--', directory])
  mkdirSync(directory)
  const options = ['--numeric-owner', '--xattrs', '--xattrs-include=user.*', '--warning=no-timestamp', '-xpzf', '-']
  execFileSync('tar', ['-C', directory, ...options], { input: archive })
  return await inRoot(directory, (program) => program.describe(TREES))
}

async function inRoot<T>(root: string, work: (program: FileOperations) => Promise<T>): Promise<T> {
  const program = await ChrootStager.start(root)
  try {
    return await work(program.operations)
  } finally {
    await program.close()
  }
}

/** Whether the program sees what the last one has left. */
async function look(program: FileOperations, { expected }: Begun): Promise<SeenInside> {
  const found = await program.describe(TREES)
  if (expected) expect(shown(found)).toEqual(shown(expected))
  return found
}

const law = treesLaw({ trees: 100, atOnce: AT_ONCE, msPerRun: 4000 })

test('LAW: what a stager leaves, the next one finds', { timeout: law.timeout }, async () => {
  await fc.assert(
    fc.asyncProperty(
      chain,
      shrunkForAMinute(async (stages: readonly Stage[]) => {
        const own = new OverlayScratch()
        try {
          const cache = await layersIn(own)
          let begun: Begun = { lowers: initial }
          for (const stage of stages) begun = await perform(own, cache, begun, stage)
          await inRoot(own.mount(begun.lowers).merged, (program) => look(program, begun))
        } finally {
          own.remove()
        }
      }),
    ),
    law.parameters,
  )
})
