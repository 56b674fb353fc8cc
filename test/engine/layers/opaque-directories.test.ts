import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { markOpaque } from '../../../isolation/layers/opaque-directories.js'
import { OverlayScratch } from '../support/overlay.js'

let scratch: OverlayScratch
beforeEach(() => {
  scratch = new OverlayScratch()
})
afterEach(() => scratch.remove())

const never = new AbortController().signal
/** The maximum length of a string in V8. */
const LONGEST_STRING = 2 ** 29 - 24

const isOpaque = (path: string) =>
  execFileSync('getfattr', ['-h', '--only-values', '-n', 'trusted.overlay.opaque', path], { encoding: 'utf8' }) === 'y'

test('directories are marked, whatever bytes their names contain', async () => {
  const names = ['plain', 'a b', '\\', '\n', '"', '#', 'n'.repeat(255)]
  for (const name of names) mkdirSync(join(scratch.root, name))
  await markOpaque(scratch.root, names, never)
  expect(names.filter((name) => !isOpaque(join(scratch.root, name)))).toEqual([])
})

test('directories are marked, although their names together exceed the maximum length of a string', async () => {
  const path = Array.from({ length: 15 }, () => 'd'.repeat(255)).join('/')
  execFileSync('mkdir', ['-p', path], { cwd: scratch.root })
  const times = Math.ceil(LONGEST_STRING / path.length)
  await markOpaque(scratch.root, Array<string>(times).fill(path), never)
  expect(isOpaque(join(scratch.root, path))).toBe(true)
}, 60_000)

test('the error names a missing directory', async () => {
  await expect(markOpaque(scratch.root, ['missing'], never)).rejects.toMatchObject({
    code: 'process-failed',
    message: expect.stringMatching(/missing/) as string,
  })
})
