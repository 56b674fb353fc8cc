import fc from 'fast-check'
import type { LayerSource, Removal } from '../../../isolation/launch-plan.js'
import type { TreeSpec } from '../../support/trees.js'
import type { FileOperation } from './file-operations.js'
import type { Refusal, SnapshotOf } from './snapshot-rule.js'
import { tarOfCopies } from './tree-tarball.js'

/** Trees that random operations change, each in a directory of its own, and what they begin with. */

/** Contains the directories of all trees. */
export const TREES = '/runs'

// Few names, so that operations affect the same files; some are unusual.
const name = fc.oneof(
  {
    weight: 40,
    arbitrary: fc.constantFrom('a', 'a', 'a', 'b', 'b', 'c-d', '\n', '\xff', '.wh', '-n', '%41', '__proto__'),
  },
  { weight: 3, arbitrary: fc.constantFrom('x'.repeat(255), '\\', ' ', 'a\n\xe9 -> "', '[x]*', '.opaque') },
  { weight: 1, arbitrary: fc.constantFrom('.wh.a', '.wh..wh..opq') },
)
const usual = fc.constantFrom('a', 'a/a', 'a/a/a', 'a/b', 'b', 'b/a', 'b/a/b', 'b/b', 'b/b/a', 'c-d', '-n')
/** A directory whose name has a byte of each kind that some format escapes. */
const ODD = '\n\xff \\%41'
const odd = fc.constantFrom(ODD, ODD, `${ODD}/a`, `${ODD}/${ODD}`, `${ODD}/${ODD}/a`)
const path = fc.oneof(
  { weight: 3, arbitrary: usual },
  { weight: 1, arbitrary: odd },
  { weight: 2, arbitrary: fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/')) },
)
const bytes = fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array).toString('latin1'))
const owner = fc.oneof(
  { weight: 50, arbitrary: fc.integer({ min: 0, max: 2 ** 31 - 1 }) },
  { weight: 1, arbitrary: fc.integer({ min: 2 ** 31, max: 2 ** 32 - 2 }) },
)
const target = fc.oneof(
  path,
  path.map((there) => `${TREES}/0/${there}`),
  fc.constantFrom('.', '..', '/', '/nowhere', 'a', 'b', '../a', '\n\xff -> \\', 't'.repeat(4000)),
)
const attributeName = fc.constantFrom('user.a', 'user.b', 'user.a=b', 'user.100%', 'user.%3D', 'user.\xfc', 'user.a\nb')
const segment = fc.constantFrom(0, 1, 4096, 10_000, 1_000_000)
const does = <T extends FileOperation[0]>(what: T) => fc.constant(what)

// An ACL that lets user 7 read and write, and the capability to bind low ports.
const ACL = '0200000001000600ffffffff020006000700000004000400ffffffff10000600ffffffff20000000ffffffff'
const CAPABILITY = '0100000200040000000000000000000000000000'
/** Attributes that no snapshot keeps. */
const dropped = fc.constantFrom(
  ['system.posix_acl_access', Buffer.from(ACL, 'hex').toString('latin1')] as const,
  ['security.capability', Buffer.from(CAPABILITY, 'hex').toString('latin1')] as const,
  ['user.overlay.opaque', 'y'] as const,
)

/** A chain of directories. */
const deep = fc
  .tuple(path, fc.constantFrom('d', 'e'.repeat(100)), fc.integer({ min: 1, max: 15 }))
  .map(([there, each, depth]): FileOperation => ['descend', there, ...Array<string>(depth).fill(each)])

/** By paths from the directory of the tree. */
const operation: fc.Arbitrary<FileOperation> = fc.oneof(
  { weight: 30, arbitrary: fc.tuple(does('overwrite'), path, bytes) },
  { weight: 10, arbitrary: fc.tuple(does('write'), path, segment, bytes) },
  { weight: 10, arbitrary: fc.tuple(does('truncate'), path, fc.constantFrom(0, 1, 4096, 5000, 3_000_000)) },
  { weight: 30, arbitrary: fc.tuple(does('mkdir'), path) },
  { weight: 20, arbitrary: fc.tuple(does('remove'), path) },
  { weight: 20, arbitrary: fc.tuple(does('remake'), path) },
  { weight: 10, arbitrary: fc.tuple(fc.constantFrom('rename', 'exchange'), path, path) },
  { weight: 10, arbitrary: fc.tuple(fc.constantFrom('move', 'copy', 'copy-links'), path, path) },
  { weight: 20, arbitrary: fc.tuple(does('link'), path, path) },
  { weight: 10, arbitrary: fc.tuple(does('symlink'), path, target) },
  { weight: 10, arbitrary: fc.tuple(does('chmod'), path, fc.integer({ min: 0, max: 0o7777 })) },
  { weight: 10, arbitrary: fc.tuple(does('chown'), path, owner, owner) },
  {
    weight: 10,
    arbitrary: fc.tuple(
      does('touch'),
      path,
      fc.integer({ min: -(2 ** 31), max: 2 ** 34 - 2 ** 31 - 1 }),
      fc.integer({ min: 0, max: 999_999_999 }),
    ),
  },
  { weight: 10, arbitrary: fc.tuple(does('attribute'), path, attributeName, bytes) },
  { weight: 10, arbitrary: fc.tuple(does('no-attribute'), path, attributeName) },
  { weight: 10, arbitrary: fc.tuple(path, dropped).map(([there, of]): FileOperation => ['attribute', there, ...of]) },
  { weight: 10, arbitrary: fc.tuple(fc.constantFrom('fifo', 'socket'), path) },
  {
    weight: 10,
    arbitrary: fc.tuple(does('device'), path, fc.constantFrom('b', 'c'), fc.constantFrom(0, 1 * 256 + 3, 7 * 256)),
  },
  { weight: 5, arbitrary: deep },
)

/** What one stager does to one tree. */
export const operations = fc.array(operation, { maxLength: 25 })

/**
 * A snapshot of some of so many trees, in which a path begins with the number of its tree.
 *
 * @param filters how many of eight are of one directory, so that one tree is in them at most
 */
export function snapshotOf(trees: number, filters: number): fc.Arbitrary<SnapshotOf> {
  const inTree = fc.tuple(fc.nat(trees - 1), usual)
  const place = inTree.map(([tree, there]) => `${tree}/${there}`)
  const exclude = fc.array(place, { maxLength: 2 * trees })
  return fc.oneof(
    { weight: 2, arbitrary: fc.record({ exclude: fc.constant([]) }) },
    { weight: 6 - filters, arbitrary: fc.record({ exclude }) },
    {
      weight: filters,
      arbitrary: fc.tuple(inTree, fc.array(usual, { maxLength: 3 })).map(([[tree, there], not]) => ({
        directory: `${tree}/${there}`,
        exclude: not.map((each) => `${tree}/${each}`),
      })),
    },
  )
}

/** As a request names it. */
export function requestOf({ directory, exclude }: SnapshotOf) {
  return {
    ...(directory === undefined ? {} : { directory: `${TREES}/${directory}` }),
    exclude: exclude.map((path) => `${TREES}/${path}`),
  }
}

/** What a stager does when it is told why a snapshot is refused: it removes what cannot be in one. */
export function remedies(refused: readonly Refusal[]): FileOperation[] {
  return refused.flatMap(({ path }) => (path === undefined ? [] : [['remove', `${TREES}/${path}`] as const]))
}

/** The other remedy: where the directory does not exist, it asks for everything. */
export function withoutRefused(of: SnapshotOf, refused: readonly Refusal[]): SnapshotOf {
  return refused.some(({ code }) => code === 'bad-directory') ? { exclude: of.exclude } : of
}

/** The operations on the tree of this number, by absolute paths. */
export function inTree(tree: number, operations: readonly FileOperation[]): FileOperation[] {
  const two = new Set(['rename', 'exchange', 'move', 'copy', 'copy-links', 'link'])
  const place = (path: string | number | undefined) => `${TREES}/${tree}/${path}`
  return operations.map(([name, first, ...more]) => [name, place(first), ...(two.has(name) ? [place(more[0])] : more)])
}

/**
 * What each tree begins with: a layer, and a second layer that changes it. Without holes, because the Engine does not
 * preserve holes of layers (docs/decisions/0004).
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
  [ODD]: { directory: true },
  [`${ODD}/a`]: { file: 'odd' },
  [`${ODD}/${ODD}`]: { directory: true },
  [`${ODD}/${ODD}/a`]: { file: 'odder' },
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

/** The layers of so many trees, bottom first. */
export function initialLayers(trees: number, add: (archive: Buffer) => string): readonly [LayerSource, LayerSource] {
  const directories = Array.from({ length: trees }, (_, tree) => `${TREES}/${tree}`)
  const removals = directories.flatMap((directory) =>
    ABOVE_REMOVES.map(({ kind, path }): Removal => ({ kind, path: `${directory.slice(1)}/${path}` })),
  )
  return [
    { sha256: add(tarOfCopies(BELOW, directories)), removals: [], name: 'below' },
    { sha256: add(tarOfCopies(ABOVE, directories)), removals, name: 'above' },
  ]
}
