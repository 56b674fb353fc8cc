import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { settleImpliedDirectories } from '../../../isolation/archive/implied-directories.js'
import { findEach } from '../../../isolation/archive/tree.js'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stagerd-test-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const reason = new Error('the launch was given up')

/** Cancels what was begun meanwhile. */
function cancelledSoon(): AbortSignal {
  const stop = new AbortController()
  setImmediate(() => stop.abort(reason))
  return stop.signal
}

test('the walk through a tree is given up for the reason that somebody had', async () => {
  await expect(findEach('/usr', ['-print0'], () => undefined, AbortSignal.abort(reason))).rejects.toBe(reason)
  await expect(findEach('/usr', ['-print0'], () => undefined, cancelledSoon())).rejects.toBe(reason)
})

test('nothing is told of a tree after the walk through it was given up', async () => {
  const stop = new AbortController()
  let told = 0
  const take = () => {
    told += 1
    stop.abort(reason)
  }
  await expect(findEach('/usr', ['-print0'], take, stop.signal)).rejects.toBe(reason)
  const toldUntilThen = told
  await new Promise(setImmediate)
  expect(told).toBe(toldUntilThen)
})

test('directories that nothing describes are left for the reason that somebody had', async () => {
  const many = Array.from({ length: 1000 }, (_, index) => `d${index}`)
  for (const name of many) mkdirSync(join(root, name))
  await expect(settleImpliedDirectories(root, many, cancelledSoon())).rejects.toBe(reason)
})
