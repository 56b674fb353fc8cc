import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Change, walkUpper } from '../../../isolation/snapshot/walk-upper.js'
import { makeTree } from '../../support/trees.js'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stagerd-walk-'))
})

// `rm`, because the tree may be too deep for Node.js.
afterEach(() => execFileSync('rm', ['-rf', root]))

async function walk(
  visit: (change: Change) => boolean = () => true,
  needsStats: (path: string) => boolean = () => false,
) {
  const seen: Change[] = []
  await walkUpper(root, { visit: (change) => (seen.push(change), visit(change)), needsStats })
  return seen
}

/** Creates `levels` nested directories called `name`. */
function deep(name: string, levels: number): void {
  const script = 'i=0; while [ $i -lt "$2" ]; do mkdir "$1" && cd -P "./$1" || exit 1; i=$((i+1)); done'
  execFileSync('sh', ['-c', script, 'sh', name, String(levels)], { cwd: root })
}

test('a directory comes before its content, and names are in byte order', async () => {
  makeTree(root, {
    'b\xff': { file: '' },
    b: { directory: true },
    'b/\n': { file: '' },
    'b/a': { file: '' },
    'b-c': { file: '' },
    a: { symlink: 'b' },
  })
  expect((await walk()).map(({ path }) => path)).toEqual(['a', 'b', 'b/\n', 'b/a', 'b-c', 'b\xff'])
})

test('files and directories get an lstat only on request, other entries always', async () => {
  makeTree(root, { d: { directory: true }, f: { file: 'x' }, asked: { file: 'four' }, l: { symlink: 'nowhere' } })
  execFileSync('mkfifo', [join(root, 'p')])
  const changes = new Map((await walk(undefined, (path) => path === 'asked')).map((change) => [change.path, change]))
  expect(changes.get('d')).toEqual({ path: 'd', kind: 'directory' })
  expect(changes.get('f')).toEqual({ path: 'f', kind: 'file' })
  expect(changes.get('asked')).toMatchObject({ kind: 'file', stats: { size: 4 } })
  expect(changes.get('l')).toMatchObject({ kind: 'symlink', stats: { nlink: 1 } })
  expect(changes.get('p')).toMatchObject({ kind: 'fifo' })
})

test('skipped directories and symbolic links are not entered', async () => {
  makeTree(root, { d: { directory: true }, 'd/x': { file: '' }, l: { symlink: 'd' } })
  expect((await walk(() => false)).map(({ path }) => path)).toEqual(['d', 'l'])
})

test('a path may be longer than a system call accepts, up to the longest path in an archive', async () => {
  deep('n'.repeat(255), 16)
  // 16 names and 15 slashes are 4095 bytes.
  expect((await walk()).at(-1)?.path).toHaveLength(4095)
})

test('a longer path is rejected unless it is skipped', async () => {
  deep('n'.repeat(250), 17)
  await expect(walk()).rejects.toMatchObject({ code: 'path-too-long' })
  await expect(walk(({ path }) => path.length < 2000)).resolves.toHaveLength(8)
})

test('directories that are nested deeper than in a layer are rejected', async () => {
  deep('d', 1025)
  await expect(walk()).rejects.toMatchObject({ code: 'snapshot-too-large' })
})

test('a missing directory is rejected', async () => {
  rmSync(root, { recursive: true })
  await expect(walk()).rejects.toMatchObject({ code: 'walk-failed' })
})
