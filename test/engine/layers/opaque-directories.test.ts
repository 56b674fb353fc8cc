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
/** V8 has no string of more characters. */
const LONGEST_STRING = 2 ** 29 - 24

const isOpaque = (path: string) =>
  execFileSync('getfattr', ['-h', '--only-values', '-n', 'trusted.overlay.opaque', path], { encoding: 'utf8' }) === 'y'

test('directories are marked, whatever bytes their names are made of', async () => {
  const names = ['plain', 'a b', '\\', '\n', '"', '#', 'n'.repeat(255)]
  for (const name of names) mkdirSync(join(scratch.root, name))
  await markOpaque(scratch.root, names, never)
  expect(names.filter((name) => !isOpaque(join(scratch.root, name)))).toEqual([])
})

test('directories are marked, though their names together are longer than any string', async () => {
  const path = Array.from({ length: 15 }, () => 'd'.repeat(255)).join('/')
  execFileSync('mkdir', ['-p', path], { cwd: scratch.root })
  const times = Math.ceil(LONGEST_STRING / path.length)
  await markOpaque(scratch.root, Array<string>(times).fill(path), never)
  expect(isOpaque(join(scratch.root, path))).toBe(true)
}, 60_000)

test('a directory that is not there is named in the error', async () => {
  await expect(markOpaque(scratch.root, ['missing'], never)).rejects.toMatchObject({
    code: 'process-failed',
    message: expect.stringMatching(/missing/) as string,
  })
})
