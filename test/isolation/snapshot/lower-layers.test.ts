import { rmSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LowerDirectories } from '../../../isolation/snapshot/lower-layers.js'
import { makeTree, type TreeSpec } from '../../support/trees.js'

/** The layer of the Engine between the image and the container: Docker 20.10 to 28, with either image store. */
const ENGINES: TreeSpec = {
  '.dockerenv': { file: '' },
  dev: { directory: true },
  'dev/console': { file: '' },
  'dev/pts': { directory: true },
  'dev/shm': { directory: true },
  etc: { directory: true },
  'etc/hostname': { file: '' },
  'etc/hosts': { file: '' },
  'etc/mtab': { symlink: '/proc/mounts' },
  'etc/resolv.conf': { file: '' },
  proc: { directory: true },
  sys: { directory: true },
}

describe('the content of the layers below a container', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'stagerd-test-'))
  })
  afterEach(() => rmSync(root, { recursive: true }))

  const layers = (...trees: TreeSpec[]) =>
    LowerDirectories.of(
      trees.map((tree, index) => {
        const directory = join(root, String(index), 'fs')
        makeTree(directory, tree)
        return directory
      }),
    )

  it('excludes the layer of the Engine, whatever its directory is called', async () => {
    const lower = await layers(ENGINES, { etc: { directory: true }, 'etc/passwd': { file: '' } })
    expect(lower.mayHold('etc/hosts')).toBe(false)
    expect(lower.mayHold('dev/console')).toBe(false)
    expect(lower.mayHold('etc/passwd')).toBe(true)
  })

  it('includes files of packages with the same names', async () => {
    const lower = await layers(ENGINES, { etc: { directory: true }, 'etc/mtab': { file: 'of a package' } })
    expect(lower.mayHold('etc/mtab')).toBe(true)
    expect(lower.mayHold('etc/hosts')).toBe(false)
  })

  it.each<[string, TreeSpec]>([
    ['with anything else', { ...ENGINES, 'etc/passwd': { file: '' } }],
    ['with something in its empty directories', { ...ENGINES, 'dev/shm/x': { file: '' } }],
    ['without .dockerenv', { etc: { directory: true }, 'etc/hosts': { file: '' } }],
    ['with a .dockerenv that is not empty', { ...ENGINES, '.dockerenv': { file: 'x' } }],
  ])('includes all of a topmost layer %s', async (_, tree) => {
    expect((await layers(tree)).mayHold('etc/hosts')).toBe(true)
  })

  it('includes all of a layer that is not the topmost', async () => {
    expect((await layers({ opt: { directory: true } }, ENGINES)).mayHold('etc/hosts')).toBe(true)
  })

  it('is never searched through a symbolic link', async () => {
    const lower = await layers({ way: { symlink: '/etc' } })
    expect(lower.mayHold('way')).toBe(true)
    expect(lower.mayHold('way/passwd')).toBe(false)
  })

  it('does not depend on the order of the queries', async () => {
    const lower = await layers(
      { a: { directory: true }, 'a/b': { directory: true }, 'a/b/c': { file: '' }, 'a-b': { file: '' } },
      { a: { directory: true }, 'a/d': { symlink: 'b' }, e: { directory: true }, 'e/f': { directory: true } },
    )
    const there = ['a', 'a/b', 'a/b/c', 'a-b', 'a/d', 'e', 'e/f']
    const missing = ['b', 'a/c', 'a/b/c/x', 'a/d/c', 'a-b/x', 'e/f/g/h', 'x/y/z', `a/${'n'.repeat(300)}`]
    const asked = fc.array(fc.constantFrom(...there, ...missing), { maxLength: 30 })
    fc.assert(
      fc.property(asked, (paths) => {
        for (const path of paths) expect([path, lower.mayHold(path)]).toEqual([path, there.includes(path)])
      }),
    )
  })
})
