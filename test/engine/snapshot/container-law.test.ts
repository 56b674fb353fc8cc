import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ENGINE_TIMES } from '../../../base/tar-time.js'
import type { LayerSource } from '../../../isolation/launch-plan.js'
import { lawRun } from '../../support/law-run.js'
import type { TreeSpec } from '../../support/trees.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'
import { type GroundTruth, groundTruth } from '../support/ground-truth.js'
import { tarOfCopies } from '../support/tree-tarball.js'
import { type FileOperation, type Taken, WorkingStager } from '../support/working-stager.js'

/**
 * LAW, in a real container: for any sequence of operations of a stager, the layers below it and its snapshot, converted
 * to a layer, have the same `lstat` results, contents and attributes as the frozen container: each name, byte and hole.
 * The comparison skips what a snapshot skips by its rules (isolation/snapshot, the same LAW).
 *
 * All runs share a few containers. Each run has a directory, prepared in the layers, which contains its tree. Its
 * snapshot is filtered by that directory, or excludes the directories of the other runs.
 */

// Few names, so that operations affect the same files; some are unusual.
const name = fc.constantFrom('a', 'a', 'a', 'b', 'b', 'c-d', '\n', '\xff', '.wh', '-n', 'x'.repeat(255))
const path = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('a', 'a/a', 'a/a/a', 'a/b', 'b', 'b/a', 'b/a/b', 'b/b', 'b/b/a', 'c-d', '-n'),
  },
  { weight: 2, arbitrary: fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/')) },
)
const bytes = fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array).toString('latin1'))
const owner = fc.integer({ min: 0, max: 2 ** 31 - 1 })
const target = fc.oneof(
  path,
  path.map((there) => `/runs/${there}`),
  fc.constantFrom('.', '..', '/', '/nowhere', 'a', 'b', '../a', 't'.repeat(4000)),
)
const attributeName = fc.constantFrom('user.a', 'user.b', 'user.a=b', 'user.100%', 'user.\xfc', 'user.overlay.opaque')
const does = <T extends FileOperation[0]>(what: T) => fc.constant(what)

// An ACL that lets user 7 read and write, and the capability to bind low ports.
const ACL = Buffer.from(
  '0200000001000600ffffffff020006000700000004000400ffffffff10000600ffffffff20000000ffffffff',
  'hex',
).toString('latin1')
const CAPABILITY = Buffer.from('0100000200040000000000000000000000000000', 'hex').toString('latin1')

const operation: fc.Arbitrary<FileOperation> = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(does('overwrite'), path, bytes) },
  { weight: 1, arbitrary: fc.tuple(does('write'), path, fc.constantFrom(0, 1, 4096, 10_000, 1_000_000), bytes) },
  { weight: 1, arbitrary: fc.tuple(does('truncate'), path, fc.constantFrom(0, 1, 4096, 5000, 3_000_000)) },
  { weight: 3, arbitrary: fc.tuple(does('mkdir'), path) },
  { weight: 2, arbitrary: fc.tuple(does('remove'), path) },
  { weight: 2, arbitrary: fc.tuple(does('remake'), path) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('rename', 'exchange'), path, path) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('move', 'copy', 'copy-links'), path, path) },
  { weight: 2, arbitrary: fc.tuple(does('link'), path, path) },
  { weight: 1, arbitrary: fc.tuple(does('symlink'), path, target) },
  { weight: 1, arbitrary: fc.tuple(does('chmod'), path, fc.integer({ min: 0, max: 0o7777 })) },
  { weight: 1, arbitrary: fc.tuple(does('chown'), path, owner, owner) },
  {
    weight: 1,
    arbitrary: fc.tuple(
      does('touch'),
      path,
      fc.integer({ min: -(2 ** 31), max: 2 ** 34 - 2 ** 31 - 1 }),
      fc.integer({ min: 0, max: 999_999_999 }),
    ),
  },
  { weight: 1, arbitrary: fc.tuple(does('attribute'), path, attributeName, bytes) },
  { weight: 1, arbitrary: fc.tuple(does('no-attribute'), path, attributeName) },
  {
    weight: 1,
    arbitrary: fc.tuple(does('attribute'), path, fc.constantFrom('system.posix_acl_access'), fc.constant(ACL)),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(does('attribute'), path, fc.constant('security.capability'), fc.constant(CAPABILITY)),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('fifo', 'socket'), path) },
  {
    weight: 1,
    arbitrary: fc.tuple(does('device'), path, fc.constantFrom('b', 'c'), fc.constantFrom(0, 1 * 256 + 3, 7 * 256)),
  },
)
const operations = fc.array(operation, { minLength: 1, maxLength: 30 })
const how = fc.constantFrom('filtered', 'without the others')

/**
 * The initial tree: a layer, and a second layer that changes it. Without holes, because the Engine does not preserve
 * holes of layers (docs/decisions/0004).
 */
const BELOW: TreeSpec = {
  a: { directory: true },
  'a/a': { directory: true, mode: 0o2775, owner: [3, 4], xattrs: { 'user.a': 'low' } },
  'a/a/a': { file: 'aaa', mode: 0o4755, mtime: '1000000000.123456789' },
  'a/a/b': { file: 'aab', xattrs: { 'user.b': 'low' } },
  'a/b': { file: 'ab', owner: [99, 99] },
  'a/c-d': { link: 'a/b' },
  b: { directory: true, mode: 0o1777, mtime: '1000000000.5' },
  'b/a': { directory: true },
  'b/a/b': { symlink: '../../a' },
  'b/b': { directory: true },
  'b/b/a': { file: 'bba' },
  'b/b/b': { link: 'a/b' },
  'c-d': { symlink: 'a' },
  '-n': { file: 'n'.repeat(10_000) },
}
const ABOVE: TreeSpec = {
  a: { directory: true },
  'a/a': { directory: true, mode: 0o2775, owner: [3, 4], xattrs: { 'user.a': 'high' } },
  b: { directory: true },
  'b/b': { directory: true },
  'b/b/a': { file: 'bba of above' },
  'b/c-d': { file: 'bc' },
}
const ABOVE_REMOVES = [
  { kind: 'removed', path: 'a/a/b' },
  { kind: 'opaque', path: 'b/b' },
] as const

const PER_CONTAINER = 64
const directories = Array.from({ length: PER_CONTAINER }, (_, index) => `/runs/${index}`)

let under: DockerIsolationUnderTest
let packages: readonly LayerSource[]
let stager: WorkingStager | undefined
let unused: string[] = []

beforeAll(async () => {
  under = await dockerIsolation()
  const below = under.resources.add('below', tarOfCopies(BELOW, directories))
  const above = under.resources.add('above', tarOfCopies(ABOVE, directories))
  const removals = directories.flatMap((directory) =>
    ABOVE_REMOVES.map(({ kind, path }) => ({ kind, path: `${directory.slice(1)}/${path}` })),
  )
  packages = [below, { ...above, removals }]
})

afterAll(async () => {
  await stager?.close()
  await under.close()
})

async function freshDirectory(): Promise<{ stager: WorkingStager; directory: string }> {
  if (unused.length === 0) {
    await stager?.close()
    stager = undefined
    stager = await WorkingStager.launch(under, packages)
    unused = [...directories]
  }
  return { stager: stager!, directory: unused.shift()! }
}

function below(directory: string, operations: readonly FileOperation[]): FileOperation[] {
  const two = new Set(['rename', 'exchange', 'move', 'copy', 'copy-links', 'link'])
  return operations.map(([name, first, ...more]) => [
    name,
    `${directory}/${first}`,
    ...(two.has(name) ? [`${directory}/${more[0]}`] : more),
  ])
}

const law = lawRun({ runs: 25, msPerRun: 2000 })

test('LAW: layers and snapshot together show the same tree as the container', { timeout: law.timeout }, async () => {
  await fc.assert(
    fc.asyncProperty(how, operations, operations, async (how, first, second) => {
      const { stager, directory } = await freshDirectory()
      for (const batch of [first, second]) {
        await stager.perform(below(directory, batch))
        let taken: Taken
        if (how === 'filtered') taken = await stager.snapshot(directory, directory)
        else
          taken = await stager.snapshot(
            undefined,
            directory,
            directories.filter((other) => other !== directory),
          )
        expect((await stager.seenAgain(taken, directory)).entries).toEqual(taken.truth.entries)
        expect(taken.leftOut).toEqual({ sockets: taken.truth.sockets, special: taken.truth.special })
        expect(gunzipSync(taken.written).includes('trusted.')).toBe(false)
      }
    }),
    law.parameters,
  )
})

test('LAW: so do they for the state after all runs, in this container and the next one', async () => {
  if (!stager) await freshDirectory()
  const taken = await stager!.snapshot(undefined, '/runs')
  expect((await stager!.seenAgain(taken, '/runs')).entries).toEqual(taken.truth.entries)

  const snapshot = { ...under.resources.add('snapshot', taken.written), removals: taken.removals }
  const next = await WorkingStager.launch(under, [...packages, snapshot])
  try {
    const before = groundTruth(`${stager!.root}/runs`, 'written out')
    const after = groundTruth(`${next.root}/runs`, 'written out')
    expect(asEnginesKeep(after)).toEqual(asEnginesKeep(before))
  } finally {
    await next.close()
  }
})

/**
 * What Docker 20.10 does not preserve in a layer: holes, attributes without a value, attributes with unusual names, and
 * times before 1970 or after 2262 (base/tar-time.ts), of which the nearest is kept. Our own mounts, such as /stagerfs,
 * preserve them all.
 */
function asEnginesKeep({ entries }: GroundTruth): Record<string, string> {
  const { earliest, latest } = ENGINE_TIMES
  const nearest = (time: string) => {
    const second = BigInt(time) / 1_000_000_000n
    if (BigInt(time) < earliest) return `${earliest}`
    return second < latest ? time : `${latest}000000000`
  }
  const kept = (line: string) =>
    line
      .replace(/ user\.[^ ]*=0x(?= |$)| user\.[^ ]*(%|\\075)[^ ]*=0x\w*/g, '')
      .replace(/^(\w+ \d+ \S+) (-?\d+)/, (_whole, before: string, time: string) => `${before} ${nearest(time)}`)
  return Object.fromEntries(Object.entries(entries).map(([path, line]) => [path, kept(line)]))
}
