import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { listTree } from '../../isolation/archive/tree.js'
import { tarList } from '../../isolation/archive/tar-writer.js'
import { readOverlayMarks } from '../../isolation/snapshot/overlay-marks.js'
import { walkUpper } from '../../isolation/snapshot/walk-upper.js'

const walk = (root: string, signal: AbortSignal) =>
  walkUpper(root, { visit: () => true, needsStats: () => false, signal })

// The test run fails by itself when an error comes out of a child process that nobody listens to.
it.each([
  ['the walk through a tree', listTree],
  ['the walk through changes', walk],
  [
    'the reading of their attributes',
    (root: string, signal: AbortSignal) => readOverlayMarks(root, tarList(['lib']), signal),
  ],
])('%s can be cancelled at any moment', async (_, work) => {
  await expect(work('/usr', AbortSignal.abort())).rejects.toThrow()
  const stop = new AbortController()
  const working = work('/usr', stop.signal)
  stop.abort()
  await expect(working).rejects.toThrow()
  await delay(0)
})
