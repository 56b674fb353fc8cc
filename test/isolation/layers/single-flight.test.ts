import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { SingleFlight } from '../../../isolation/layers/single-flight.js'

const never = new AbortController().signal

function pending<T>() {
  let resolve!: (value: T) => void
  let reject!: (error: Error) => void
  const promise = new Promise<T>((yes, no) => ([resolve, reject] = [yes, no]))
  return { promise, resolve, reject }
}

test('all calls while the work is in progress share its result', async () => {
  const flights = new SingleFlight<number>(2)
  const { promise, resolve } = pending<number>()
  let begun = 0
  const work = () => {
    begun += 1
    return promise
  }
  const results = Promise.all([flights.run('a', never, work), flights.run('a', never, work)])
  resolve(7)
  expect(await results).toEqual([7, 7])
  expect(begun).toBe(1)
  expect(await flights.run('a', never, () => Promise.resolve(8))).toBe(8)
})

test('all of them share its error, and the next call starts again', async () => {
  const flights = new SingleFlight<number>(2)
  const fail = () => Promise.reject(new Error('broken'))
  const both = await Promise.allSettled([flights.run('a', never, fail), flights.run('a', never, fail)])
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(await flights.run('a', never, () => Promise.resolve(1))).toBe(1)
})

test('work is aborted with its last caller, and no call joins aborted work', async () => {
  const flights = new SingleFlight<number>(2)
  const [first, second] = [new AbortController(), new AbortController()]
  let given: AbortSignal | undefined
  const work = (signal: AbortSignal) => {
    given = signal
    return new Promise<number>(() => undefined)
  }
  const waits = [flights.run('a', first.signal, work), flights.run('a', second.signal, work)]
  first.abort(new Error('left'))
  await expect(waits[0]).rejects.toThrow('left')
  expect(given?.aborted).toBe(false)
  second.abort(new Error('left too'))
  await expect(waits[1]).rejects.toThrow('left too')
  expect(given?.aborted).toBe(true)
  expect(await flights.run('a', never, () => Promise.resolve(2))).toBe(2)
})

test('the work of a limited number of keys is in progress at once', async () => {
  const flights = new SingleFlight<string>(2)
  const doors = ['a', 'b', 'c'].map((key) => ({ key, ...pending<string>() }))
  const begun: string[] = []
  const all = doors.map(({ key, promise }) =>
    flights.run(key, never, () => {
      begun.push(key)
      return promise
    }),
  )
  await setImmediate()
  expect(begun).toEqual(['a', 'b'])
  doors[0]!.resolve('done')
  await expect.poll(() => begun).toEqual(['a', 'b', 'c'])
  for (const { resolve } of doors) resolve('done')
  expect(await Promise.all(all)).toEqual(['done', 'done', 'done'])
})
