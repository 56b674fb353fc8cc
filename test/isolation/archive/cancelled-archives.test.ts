import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { normaliseImpliedDirectories } from '../../../isolation/archive/implied-directories.js'
import { findEach } from '../../../isolation/archive/tree.js'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stagerd-test-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const reason = new Error('the launch was cancelled')

/** Aborts in the next turn of the event loop, after the call under test has started. */
function abortSoon(): AbortSignal {
  const stop = new AbortController()
  setImmediate(() => stop.abort(reason))
  return stop.signal
}

test('an aborted walk rejects with the reason of the signal', async () => {
  await expect(findEach('/usr', ['-print0'], () => undefined, AbortSignal.abort(reason))).rejects.toBe(reason)
  await expect(findEach('/usr', ['-print0'], () => undefined, abortSoon())).rejects.toBe(reason)
})

test('an aborted walk reports no further records', async () => {
  const stop = new AbortController()
  let records = 0
  const onRecord = () => {
    records += 1
    stop.abort(reason)
  }
  await expect(findEach('/usr', ['-print0'], onRecord, stop.signal)).rejects.toBe(reason)
  const recordsAtAbort = records
  await new Promise(setImmediate)
  expect(records).toBe(recordsAtAbort)
})

test('an abort while implied directories are processed rejects with the reason of the signal', async () => {
  const many = Array.from({ length: 1000 }, (_, index) => `d${index}`)
  for (const name of many) mkdirSync(join(root, name))
  await expect(normaliseImpliedDirectories(root, many, statSync(root), abortSoon())).rejects.toBe(reason)
})
