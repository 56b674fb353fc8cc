import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { copiedUp } from '../../../isolation/snapshot/copied-up.js'
import { LowerDirectories } from '../../../isolation/snapshot/lower-layers.js'
import { makeTree, type TreeSpec } from '../../support/trees.js'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stagerd-test-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const DIRECTORIES: TreeSpec = { etc: { directory: true }, opt: { directory: true } }

async function copies(upper: TreeSpec, lower: TreeSpec = {}): Promise<readonly string[]> {
  makeTree(join(root, 'upper'), upper)
  makeTree(join(root, 'lower'), lower)
  const layers = await LowerDirectories.of([join(root, 'lower')])
  return await copiedUp(join(root, 'upper'), layers, new Map([['/opt/ca', 'PEM']]))
}

describe('a copied-up file that the stager did not change', () => {
  test('is a file with the content that stagerd injected, or the link of the Engine', async () => {
    const given = { ...DIRECTORIES, 'opt/ca': { file: 'PEM' }, 'etc/mtab': { symlink: '/proc/mounts' } } as const
    expect(await copies(given)).toEqual(['/opt/ca', '/etc/mtab'])
  })

  test.each<[string, TreeSpec]>([
    ['nothing', {}],
    ['a file with different content', { ...DIRECTORIES, 'opt/ca': { file: 'MEP' } }],
    ['a longer file', { ...DIRECTORIES, 'opt/ca': { file: 'PEM\n' } }],
    ['a directory in its place', { ...DIRECTORIES, 'opt/ca': { directory: true } }],
    ['a pipe in its place', { ...DIRECTORIES, 'opt/ca': { fifo: true } }],
    ['a link to such a file', { ...DIRECTORIES, 'opt/x': { file: 'PEM' }, 'opt/ca': { symlink: 'x' } }],
    ['such a file behind a link', { x: { directory: true }, 'x/ca': { file: 'PEM' }, opt: { symlink: 'x' } }],
    ['a link to elsewhere', { ...DIRECTORIES, 'etc/mtab': { symlink: '/proc/self/mounts' } }],
    ['a link of the same length', { ...DIRECTORIES, 'etc/mtab': { symlink: '/proc/mountz' } }],
    ['a directory in place of the link', { ...DIRECTORIES, 'etc/mtab': { directory: true } }],
  ])('is not %s', async (_, upper) => {
    expect(await copies(upper)).toEqual([])
  })

  test('is not a link of a package', async () => {
    const tree = { etc: { directory: true }, 'etc/mtab': { symlink: '/proc/mounts' } } as const
    expect(await copies(tree, tree)).toEqual([])
  })
})
