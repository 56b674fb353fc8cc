import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { StagingQueue } from '../../../daemon/staging/staging-queue.js'
import type { Staging } from '../../../daemon/model/staging.js'

const staging = { uuid: 'a' } as Staging

it('is closed only when nothing is being admitted any more, and does not begin what was admitted meanwhile', async () => {
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
  await delay(20)
  expect(closed).toBe(false)
  admit(staging)
  await closing
  await delay(20)
  expect(worked).toEqual([])
  expect(errors).toEqual([])
})

it('works on what interrupted stagings it is given first, and within the limit', async () => {
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
  await delay(20)
  expect(begun).toEqual(['a', 'b'])
  ends[0]?.()
  await delay(20)
  expect(begun).toEqual(['a', 'b', 'c'])
  const closing = queue.close()
  for (const end of ends) end()
  await closing
  expect(begun).toEqual(['a', 'b', 'c'])
})
