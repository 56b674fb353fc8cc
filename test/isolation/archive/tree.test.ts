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

// The test run fails by itself when an error comes out of a child process that nobody listens to.
it.each([
  [
    'the walk through a tree',
    (root: string, signal: AbortSignal) => findEach(root, ['-print0'], () => undefined, signal),
  ],
  ['the walk through changes', walk],
  ['the reading of their attributes', marks],
])('%s can be cancelled at any moment', async (_, work) => {
  await expect(work('/usr', AbortSignal.abort())).rejects.toThrow()
  const stop = new AbortController()
  const working = work('/usr', stop.signal)
  stop.abort()
  await expect(working).rejects.toThrow()
  await delay(0)
})

it('ends the walk through a tree when something is wrong with an entry', async () => {
  const take = () => {
    throw new Error('what is that?')
  }
  await expect(findEach('/usr/lib', ['-printf', '%P\\0'], take)).rejects.toThrow('what is that?')
})
