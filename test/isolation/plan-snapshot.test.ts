import { describe, expect, test } from 'vitest'
import type { EntryKind, TreeEntry } from '../../isolation/archive/tree.js'
import { UNKNOWN_LOWER } from '../../isolation/snapshot/lower-layers.js'
import type { OverlayMarks } from '../../isolation/snapshot/overlay-entry.js'
import { planSnapshot } from '../../isolation/snapshot/plan-snapshot.js'

/** An upper directory as data, sorted by path. */
function upper(entries: Readonly<Record<string, EntryKind | 'whiteout'>>): TreeEntry[] {
  return Object.entries(entries).map(([path, kind], index) => ({
    path,
    kind: kind === 'whiteout' ? 'character-device' : kind,
    ...(kind === 'whiteout' ? { device: 0 } : {}),
    uid: 0,
    gid: 0,
    links: 1,
    inode: String(index),
    size: 0,
  }))
}

const marks = (...pairs: [path: string, mark: string, value: string][]): Map<string, OverlayMarks> =>
  new Map(pairs.map(([path, mark, value]) => [path, new Map([[mark, value]])]))
const holding = (...paths: string[]) => ({ mayHold: (path: string) => paths.includes(path) })

describe('what a snapshot holds', () => {
  test('files, links and directories; removals beside them', () => {
    const plan = planSnapshot(
      upper({ etc: 'directory', 'etc/gone': 'whiteout', 'etc/new': 'file', link: 'symlink' }),
      new Map(),
      '',
      UNKNOWN_LOWER,
    )
    expect(plan).toEqual({
      paths: ['etc', 'etc/new', 'link'],
      furtherSymlinks: [],
      removals: [{ kind: 'removed', path: 'etc/gone' }],
      sockets: 0,
      special: 0,
    })
  })

  test('a directory that replaces one of a lower layer is opaque, a new one is not', () => {
    const tree = upper({ fresh: 'directory', old: 'directory' })
    const plan = planSnapshot(tree, marks(['fresh', 'opaque', 'y'], ['old', 'opaque', 'y']), '', holding('old'))
    expect(plan.removals).toEqual([{ kind: 'opaque', path: 'old' }])
  })

  test('a device of another number than 0:0 is a device', () => {
    const [entry] = upper({ null: 'character-device' })
    const plan = planSnapshot([{ ...entry!, device: 259 }], new Map(), '', holding())
    expect(plan).toMatchObject({ paths: [], removals: [], special: 1 })
  })

  test('odd bytes of a removal are percent-encoded', () => {
    const plan = planSnapshot(upper({ 'a%\n\xff b': 'whiteout' }), new Map(), '', UNKNOWN_LOWER)
    expect(plan.removals).toEqual([{ kind: 'removed', path: 'a%25%0A%FF b' }])
  })

  test("Docker's own files are left out, and so are their removals, unless a package has them", () => {
    const tree = upper({ '.dockerenv': 'whiteout', etc: 'directory', 'etc/hosts': 'file', 'etc/mtab': 'symlink' })
    expect(planSnapshot(tree, new Map(), '', holding())).toMatchObject({ paths: ['etc'], removals: [] })
    expect(planSnapshot(tree, new Map(), '', holding('etc/mtab', '.dockerenv'))).toMatchObject({
      paths: ['etc', 'etc/mtab'],
      removals: [{ kind: 'removed', path: '.dockerenv' }],
    })
  })
})

describe('a filtered snapshot', () => {
  test('leaves out a neighbour whose name begins the same', () => {
    const tree = upper({ app: 'directory', 'app-data': 'directory', 'app/x': 'file' })
    expect(planSnapshot(tree, new Map(), 'app', UNKNOWN_LOWER).paths).toEqual(['app', 'app/x'])
  })

  test.each(['symlink', 'file', 'socket'] as const)('does not go through a %s', (kind) => {
    expect(() => planSnapshot(upper({ way: kind }), new Map(), 'way/on', UNKNOWN_LOWER)).toThrow(
      expect.objectContaining({ code: 'bad-directory' }) as Error,
    )
  })

  test('is empty of what an opaque ancestor hides', () => {
    const tree = upper({ opt: 'directory' })
    const plan = planSnapshot(tree, marks(['opt', 'opaque', 'y']), 'opt/app', UNKNOWN_LOWER)
    expect(plan).toMatchObject({ paths: ['opt'], removals: [{ kind: 'removed', path: 'opt/app' }] })
  })
})

describe('what is not understood is refused', () => {
  test.each([
    ['redirect', '/elsewhere'],
    ['metacopy', ''],
    ['opaque', 'x'],
    ['whiteout', ''],
  ])('%s=%j', (mark, value) => {
    expect(() => planSnapshot(upper({ d: 'directory' }), marks(['d', mark, value]), '', UNKNOWN_LOWER)).toThrow(
      expect.objectContaining({ code: 'overlay-redirect' }) as Error,
    )
  })
})
