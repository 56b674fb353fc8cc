import { describe, expect, test } from 'vitest'
import type { EntryKind } from '../../../isolation/archive/tree.js'
import { type LowerLayers, UNKNOWN_LOWER } from '../../../isolation/snapshot/lower-layers.js'
import type { OverlayMarks } from '../../../isolation/snapshot/overlay-entry.js'
import { SnapshotPlanner } from '../../../isolation/snapshot/snapshot-planner.js'
import { SnapshotScope } from '../../../isolation/snapshot/snapshot-scope.js'
import type { Change } from '../../../isolation/snapshot/walk-upper.js'

type Kind = EntryKind | 'whiteout'

/** An entry of an upper directory; empty, and with one name. */
function change(path: string, kind: Kind, stats: Partial<Change['stats']> = {}): Change {
  return {
    path,
    kind: kind === 'whiteout' ? 'character-device' : kind,
    stats: { size: 0, rdev: kind === 'whiteout' ? 0 : 259, nlink: 1, ino: 1, ...stats },
  }
}

interface Case {
  readonly directory?: string
  readonly exclude?: readonly string[]
  readonly lower?: LowerLayers
  readonly marks?: Readonly<Record<string, readonly [mark: string, value: string]>>
}

/** The plan of a snapshot of an upper directory, whose entries are given in the order of a walk. */
function plan(upper: Readonly<Record<string, Kind>> | readonly Change[], how: Case = {}) {
  const changes = Array.isArray(upper)
    ? (upper as readonly Change[])
    : Object.entries(upper).map(([path, kind]) => change(path, kind as Kind))
  const paths: string[] = []
  const planner = new SnapshotPlanner(SnapshotScope.of(how.directory, how.exclude), how.lower ?? UNKNOWN_LOWER, {
    add: (path) => paths.push(path),
  })
  const goneInto = new Set([''])
  for (const each of changes)
    if (goneInto.has(each.path.slice(0, Math.max(0, each.path.lastIndexOf('/')))) && planner.take(each))
      goneInto.add(each.path)
  for (const [path, mark] of Object.entries(how.marks ?? {})) planner.mark(path, new Map([mark]) satisfies OverlayMarks)
  const { furtherSymlinks, leftOut, entryCount } = planner
  return { paths, furtherSymlinks, removals: planner.removals(), leftOut, entryCount }
}

const holding = (...paths: string[]): LowerLayers => ({
  mayHold: (path) => paths.includes(path),
  shows: (path) => Promise.resolve(paths.includes(path)),
})

describe('the content of a snapshot', () => {
  test('files, links and directories; removals are listed separately', () => {
    expect(plan({ etc: 'directory', 'etc/gone': 'whiteout', 'etc/new': 'file', link: 'symlink' })).toEqual({
      paths: ['etc', 'etc/new', 'link'],
      furtherSymlinks: [],
      removals: [{ kind: 'removed', path: 'etc/gone' }],
      leftOut: { sockets: 0, special: 0 },
      entryCount: 3,
    })
  })

  test('a directory that replaces one of a lower layer is opaque, a new one is not', () => {
    const { removals } = plan(
      { fresh: 'directory', old: 'directory' },
      { marks: { fresh: ['opaque', 'y'], old: ['opaque', 'y'] }, lower: holding('old') },
    )
    expect(removals).toEqual([{ kind: 'opaque', path: 'old' }])
  })

  test('sockets, pipes and devices are counted; what they replaced is removed', () => {
    const upper = { null: 'character-device', pipe: 'fifo', s: 'socket' } as const
    expect(plan(upper, { lower: holding('pipe') })).toMatchObject({
      paths: [],
      removals: [{ kind: 'removed', path: 'pipe' }],
      leftOut: { sockets: 1, special: 2 },
    })
  })

  test('what they replaced in a recreated directory is covered by the opaque directory', () => {
    const upper = { d: 'directory', 'd/e': 'directory', 'd/e/pipe': 'fifo' } as const
    const { removals } = plan(upper, { marks: { d: ['opaque', 'y'] }, lower: holding('d', 'd/e', 'd/e/pipe') })
    expect(removals).toEqual([{ kind: 'opaque', path: 'd' }])
  })

  test('hard links of a symbolic link become separate links; hard links of a file are left to tar', () => {
    const twins = [change('a', 'symlink', { nlink: 2, ino: 7 }), change('b', 'symlink', { nlink: 2, ino: 7 })]
    const files = [change('c', 'file', { nlink: 2, ino: 8 }), change('d', 'file', { nlink: 2, ino: 8 })]
    expect(plan([...twins, ...files])).toMatchObject({ paths: ['a', 'c', 'd'], furtherSymlinks: ['b'], entryCount: 4 })
  })

  test('unusual bytes of a removal are percent-encoded', () => {
    expect(plan({ 'a%\n\xff b': 'whiteout' }).removals).toEqual([{ kind: 'removed', path: 'a%25%0A%FF b' }])
  })

  test('files that Docker injects are skipped, and so are their removals, unless a package has them', () => {
    const upper = { '.dockerenv': 'whiteout', etc: 'directory', 'etc/hosts': 'file', 'etc/mtab': 'file' } as const
    expect(plan(upper, { lower: holding() })).toMatchObject({ paths: ['etc'], removals: [] })
    expect(plan(upper, { lower: holding('etc/mtab', '.dockerenv') })).toMatchObject({
      paths: ['etc', 'etc/mtab'],
      removals: [{ kind: 'removed', path: '.dockerenv' }],
    })
  })

  test('what a stager creates with the names of those files is included', () => {
    const upper = {
      '.dockerenv': 'directory',
      '.dockerenv/mine': 'file',
      etc: 'directory',
      'etc/mtab': 'symlink',
    } as const
    expect(plan(upper, { lower: holding() }).paths).toEqual(Object.keys(upper))
    const files = [change('etc', 'directory'), change('etc/mtab', 'file', { size: 1 })]
    expect(plan(files, { lower: holding() }).paths).toEqual(['etc', 'etc/mtab'])
    expect(plan({ etc: 'directory', 'etc/mtab': 'fifo' }, { lower: holding() }).leftOut.special).toBe(1)
  })

  test('a name that marks a removal in image layers is rejected', () => {
    expect(() => plan({ opt: 'directory', 'opt/.wh.x': 'file' })).toThrow(
      expect.objectContaining({ code: 'reserved-name' }) as Error,
    )
  })
})

describe('a filtered snapshot', () => {
  test('skips a sibling whose name has the same prefix', () => {
    const upper = { app: 'directory', 'app/x': 'file', 'app-data': 'directory' } as const
    expect(plan(upper, { directory: '/app' }).paths).toEqual(['app', 'app/x'])
  })

  test('skips excluded paths and their removals', () => {
    const upper = { opt: 'directory', 'opt/a': 'directory', 'opt/a/gone': 'whiteout', 'opt/b': 'file' } as const
    const marks = { 'opt/a': ['opaque', 'y'] } as const
    expect(plan(upper, { exclude: ['/opt/a'], marks })).toMatchObject({ paths: ['opt', 'opt/b'], removals: [] })
  })

  test.each(['symlink', 'file', 'socket', 'whiteout'] as const)('does not enter a %s', (kind) => {
    expect(() => plan({ way: kind }, { directory: '/way/on' })).toThrow(
      expect.objectContaining({ code: 'bad-directory' }) as Error,
    )
  })

  test('contains only the removal of a directory that an opaque ancestor hides', () => {
    const opaque = plan({ opt: 'directory' }, { directory: '/opt/app', marks: { opt: ['opaque', 'y'] } })
    expect(opaque).toMatchObject({ paths: ['opt'], removals: [{ kind: 'removed', path: 'opt/app' }] })
  })

  test('is opaque if it was recreated in an opaque ancestor', () => {
    const upper = { opt: 'directory', 'opt/app': 'directory' } as const
    const marks = { opt: ['opaque', 'y'] } as const
    expect(plan(upper, { directory: '/opt/app', marks }).removals).toEqual([{ kind: 'opaque', path: 'opt/app' }])
  })
})

describe('an unsupported overlayfs attribute is rejected', () => {
  test.each([
    ['redirect', '/elsewhere'],
    ['metacopy', ''],
    ['opaque', 'x'],
  ] as const)('%s=%j', (mark, value) => {
    expect(() => plan({ d: 'directory' }, { marks: { d: [mark, value] } })).toThrow(
      expect.objectContaining({ code: 'overlay-redirect' }) as Error,
    )
  })
})
