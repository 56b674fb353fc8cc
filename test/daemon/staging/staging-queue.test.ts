import { setImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { StagingQueue } from '../../../daemon/staging/staging-queue.js'
import type { Staging } from '../../../daemon/model/staging.js'

const staging = { uuid: 'a' } as Staging

/** The queue waits only for promises, so all of them have settled by the next turn of the event loop. */
const settled = () => setImmediate()

it('does not start a staging that is admitted while it closes, and waits for the admission', async () => {
  let admit: (one: Staging) => void = () => undefined
  const worked: Staging[] = []
  const errors: unknown[] = []
  const queue = new StagingQueue(
    1,
    {
      admitNext: () => new Promise<Staging>((resolve) => (admit = resolve)),
      work: (one) => Promise.resolve(void worked.push(one)),
    },
    (error) => errors.push(error),
  )
  queue.open([])
  let closed = false
  const closing = queue.close().then(() => (closed = true))
  await settled()
  expect(closed).toBe(false)
  admit(staging)
  await closing
  await settled()
  expect(worked).toEqual([])
  expect(errors).toEqual([])
})

it('starts interrupted stagings first, and counts them against the limit', async () => {
  const waiting = ['c', 'd'].map((uuid) => ({ uuid }) as Staging)
  const begun: string[] = []
  const ends: (() => void)[] = []
  const queue = new StagingQueue(
    2,
    {
      admitNext: () => Promise.resolve(waiting.shift()),
      work: ({ uuid }) => {
        begun.push(uuid)
        return new Promise<void>((resolve) => ends.push(resolve))
      },
    },
    () => undefined,
  )
  queue.open([staging, { uuid: 'b' } as Staging])
  await settled()
  expect(begun).toEqual(['a', 'b'])
  ends[0]?.()
  await settled()
  expect(begun).toEqual(['a', 'b', 'c'])
  const closing = queue.close()
  for (const end of ends) end()
  await closing
  expect(begun).toEqual(['a', 'b', 'c'])
})
