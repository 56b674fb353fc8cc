import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { findEach } from '../../../isolation/archive/tree.js'
import { tarList } from '../../../isolation/archive/tar-writer.js'
import { readOverlayMarks } from '../../../isolation/snapshot/overlay-marks.js'
import { walkUpper } from '../../../isolation/snapshot/walk-upper.js'

const walk = (root: string, signal: AbortSignal) =>
  walkUpper(root, { visit: () => true, needsStats: () => false, signal })

const marks = async (root: string, signal: AbortSignal) => {
  for await (const marked of readOverlayMarks(root, tarList(['lib']), signal)) void marked
}

// vitest fails the run on an unhandled error of a child process.
it.each([
  ['the walk of a tree', (root: string, signal: AbortSignal) => findEach(root, ['-print0'], () => undefined, signal)],
  ['the walk of changes', walk],
  ['the reading of overlay attributes', marks],
])('%s can be cancelled at any moment', async (_, work) => {
  await expect(work('/usr', AbortSignal.abort())).rejects.toThrow()
  const stop = new AbortController()
  const working = work('/usr', stop.signal)
  stop.abort()
  await expect(working).rejects.toThrow()
  await delay(0)
})

it('a walk fails with the error of its callback', async () => {
  const onRecord = () => {
    throw new Error('a bad record')
  }
  await expect(findEach('/usr/lib', ['-printf', '%P\\0'], onRecord)).rejects.toThrow('a bad record')
})
