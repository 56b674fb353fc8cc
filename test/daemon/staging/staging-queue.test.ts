import { setImmediate, setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Deferred } from '../../../base/deferred.js'
import { StagingQueue, type WorkOutcome } from '../../../daemon/staging/staging-queue.js'

const staging = { uuid: 'a' }
const ended: WorkOutcome = { kind: 'ended', released: Promise.resolve() }

/** The queue waits only for promises, so all of them have settled by the next turn of the event loop. */
const settled = () => setImmediate()

it('does not start a staging that is admitted while it closes, and waits for the admission', async () => {
  let admit: (one: typeof staging) => void = () => undefined
  const worked: string[] = []
  const errors: unknown[] = []
  const queue = new StagingQueue(
    1,
    {
      admitNext: () => new Promise<typeof staging>((resolve) => (admit = resolve)),
      work: (uuid) => {
        worked.push(uuid)
        return Promise.resolve(ended)
      },
    },
    (error) => errors.push(error),
  )
  queue.open()
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

it('while it is held, lets what runs end, and admits nothing', async () => {
  const waiting = ['a', 'b', 'c'].map((uuid) => ({ uuid }))
  const begun: string[] = []
  const ends: (() => void)[] = []
  const queue = new StagingQueue(
    1,
    {
      admitNext: () => Promise.resolve(waiting.shift()),
      work: (uuid) => {
        begun.push(uuid)
        return new Promise((resolve) => ends.push(() => resolve(ended)))
      },
    },
    () => undefined,
  )
  queue.open()
  await settled()
  queue.hold()
  let idle = false
  const waitingForIdle = queue.idle().then(() => (idle = true))
  await settled()
  expect({ begun, idle }).toEqual({ begun: ['a'], idle: false })
  ends[0]?.()
  await waitingForIdle
  expect(begun).toEqual(['a'])
  queue.resume()
  await settled()
  expect(begun).toEqual(['a', 'b'])
  // A higher limit starts what waits, at once.
  queue.setLimit(2)
  await settled()
  expect(begun).toEqual(['a', 'b', 'c'])
  for (const end of ends) end()
  await queue.close()
})

it('can be opened again, and forgets what it was to take up', async () => {
  const waiting = [staging]
  const worked: string[] = []
  const outcomes: WorkOutcome[] = [{ kind: 'unfinished' }]
  const queue = new StagingQueue(
    1,
    {
      admitNext: () => Promise.resolve(waiting.shift()),
      work: (uuid) => {
        worked.push(uuid)
        return Promise.resolve(outcomes.shift() ?? ended)
      },
    },
    () => undefined,
    1,
  )
  queue.open()
  await settled()
  await queue.close()
  waiting.push({ uuid: 'b' })
  queue.open()
  await delay(20)
  expect(worked).toEqual(['a', 'b'])
  await queue.close()
})

it('tries again after an admission that failed, though nothing is at work and nobody submits', async () => {
  const waiting = [staging]
  let attempts = 0
  const errors: unknown[] = []
  const worked = await new Promise<string>((resolve) => {
    const queue = new StagingQueue(
      1,
      {
        admitNext: () =>
          attempts++ < 2 ? Promise.reject(new Error('the database is locked')) : Promise.resolve(waiting.shift()),
        work: (uuid) => {
          resolve(uuid)
          return Promise.resolve(ended)
        },
      },
      (error) => errors.push(error),
      1,
    )
    queue.open()
  })
  expect(worked).toBe('a')
  expect(errors).toHaveLength(2)
})

it('takes a staging up again that could not be ended, and admits others meanwhile', async () => {
  const waiting = [staging, { uuid: 'b' }]
  const outcomes: WorkOutcome[] = [{ kind: 'unfinished' }, ended, ended]
  const worked: string[] = []
  await new Promise<void>((resolve) => {
    const queue = new StagingQueue(
      1,
      {
        admitNext: () => Promise.resolve(waiting.shift()),
        work: (uuid) => {
          worked.push(uuid)
          if (worked.length === 3) resolve()
          return Promise.resolve(outcomes.shift() ?? ended)
        },
      },
      () => undefined,
      1,
    )
    queue.open()
  })
  expect(worked).toEqual(['a', 'b', 'a'])
})

it('tries nothing again after it is closed', async () => {
  let attempts = 0
  const queue = new StagingQueue(
    1,
    {
      admitNext: () => Promise.reject(new Error(`attempt ${++attempts}`)),
      work: () => Promise.resolve(ended),
    },
    () => undefined,
    0,
  )
  queue.open()
  await queue.close()
  await settled()
  await settled()
  expect(attempts).toBe(1)
})

it('says whether a staging would wait for another one', async () => {
  const ends: (() => void)[] = []
  const work = () => new Promise<WorkOutcome>((resolve) => ends.push(() => resolve(ended)))
  const waiting = [staging]
  const queue = new StagingQueue(1, { admitNext: () => Promise.resolve(waiting.shift()), work }, () => undefined)
  expect(queue.admitsAtOnce, 'before it is open').toBe(false)
  queue.open()
  expect(queue.admitsAtOnce, 'before it has looked').toBe(false)
  await settled()
  expect(queue.admitsAtOnce, 'while as many run as may').toBe(false)
  ends[0]?.()
  await queue.idle()
  expect(queue.admitsAtOnce).toBe(true)
  queue.hold()
  expect(queue.admitsAtOnce, 'while it is held').toBe(false)
  queue.resume()
  await queue.close()
  expect(queue.admitsAtOnce, 'after its end').toBe(false)
})

it('admits the next one while the last one is being removed, and is not idle before that is done', async () => {
  const waiting = [staging, { uuid: 'b' }]
  const removal = new Deferred<void>()
  const worked: string[] = []
  const queue = new StagingQueue(
    1,
    {
      admitNext: () => Promise.resolve(waiting.shift()),
      work: (uuid) => {
        worked.push(uuid)
        return Promise.resolve({ kind: 'ended', released: uuid === 'a' ? removal.promise : Promise.resolve() })
      },
    },
    () => undefined,
  )
  queue.open()
  await settled()
  expect({ worked, atWork: queue.atWork, admitsAtOnce: queue.admitsAtOnce }).toEqual({
    worked: ['a', 'b'],
    atWork: 1,
    admitsAtOnce: true,
  })
  let [idle, closed] = [false, false]
  const waits = [queue.idle().then(() => (idle = true)), queue.close().then(() => (closed = true))]
  await settled()
  expect({ idle, closed }).toEqual({ idle: false, closed: false })
  removal.resolve()
  await Promise.all(waits)
  expect(queue.atWork).toBe(0)
})
