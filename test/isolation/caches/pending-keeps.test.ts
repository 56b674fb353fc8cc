import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Deferred } from '../../../base/deferred.js'
import { PendingKeeps } from '../../../isolation/caches/pending-keeps.js'

const LONGEST_MS = 30

function pending() {
  const keeps = new PendingKeeps(LONGEST_MS)
  const [ended, over] = [new Deferred<void>(), new Deferred<void>()]
  keeps.add('cache', { ended: ended.promise, over: over.promise })
  const wait = { isOver: false }
  void keeps.wait('cache').then(() => (wait.isOver = true))
  return { keeps, wait, ended, over }
}

it('a launch waits for a program that goes on after its verdict, however long that takes', async () => {
  const { wait, ended, over } = pending()
  await delay(3 * LONGEST_MS)
  expect(wait.isOver).toBe(false)
  ended.resolve()
  over.resolve()
  await expect.poll(() => wait.isOver).toBe(true)
})

it('a launch does not wait for a cache that is not put away in time after the end of its program', async () => {
  const { wait, ended } = pending()
  ended.resolve()
  await expect.poll(() => wait.isOver).toBe(true)
})

it('a launch waits for the cache of no other, and for none that is put away', async () => {
  const { keeps, over } = pending()
  await keeps.wait('another')
  over.resolve()
  await keeps.wait('cache')
})
