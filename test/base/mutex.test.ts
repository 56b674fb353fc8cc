import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeyedMutex } from '../../base/keyed-mutex.js'
import { Mutex } from '../../base/mutex.js'

interface Work {
  readonly key: string
  /** Turns of the event loop that it takes. */
  readonly turns: number
  readonly fails: boolean
}

const works = fc.array(
  fc.record<Work>({ key: fc.constantFrom('a', 'b', 'c'), turns: fc.nat(3), fails: fc.boolean() }),
  { maxLength: 30 },
)

/** Does all the work through `run`; `mostAtOnce` is the largest number of pieces of one key that ran at once. */
async function perform(all: readonly Work[], run: (key: string, work: () => Promise<number>) => Promise<number>) {
  const started: number[] = []
  const active = new Map<string, number>()
  let mostAtOnce = 0
  const results = await Promise.allSettled(
    all.map(({ key, turns, fails }, index) =>
      run(key, async () => {
        started.push(index)
        active.set(key, (active.get(key) ?? 0) + 1)
        mostAtOnce = Math.max(mostAtOnce, active.get(key) ?? 0)
        for (let turn = 0; turn < turns; turn++) await setImmediate()
        active.set(key, (active.get(key) ?? 0) - 1)
        if (fails) throw new Error(String(index))
        return index
      }),
    ),
  )
  const outcomes = results.map((result) =>
    result.status === 'fulfilled' ? result.value : `failed ${(result.reason as Error).message}`,
  )
  return { started, outcomes, mostAtOnce }
}

const outcomesOf = (all: readonly Work[]) => all.map(({ fails }, index) => (fails ? `failed ${index}` : index))

describe('a mutex', () => {
  it('runs one piece of work at a time, in order, and gives each caller its own result', async () => {
    await fc.assert(
      fc.asyncProperty(works, async (all) => {
        const mutex = new Mutex()
        const ofOneKey = all.map((work) => ({ ...work, key: 'a' }))
        const { started, outcomes, mostAtOnce } = await perform(ofOneKey, (_, work) => mutex.run(work))
        expect(started).toEqual(all.map((_, index) => index))
        expect(outcomes).toEqual(outcomesOf(all))
        expect(mostAtOnce).toBe(Math.min(all.length, 1))
      }),
    )
  })

  it('goes on after work that throws before it returns a promise', async () => {
    const mutex = new Mutex()
    const broken = mutex.run(() => {
      throw new Error('broken')
    })
    const next = mutex.run(() => Promise.resolve('next'))
    await expect(broken).rejects.toThrow('broken')
    expect(await next).toBe('next')
  })
})

describe('a mutex for each key', () => {
  it('runs one piece of work of a key at a time, in order, and does not make keys wait for each other', async () => {
    await fc.assert(
      fc.asyncProperty(works, async (all) => {
        const mutex = new KeyedMutex()
        const { started, outcomes, mostAtOnce } = await perform(all, (key, work) => mutex.run(key, work))
        for (const key of ['a', 'b', 'c']) {
          const ofKey = (index: number) => all[index]?.key === key
          expect(started.filter(ofKey)).toEqual(all.map((_, index) => index).filter(ofKey))
        }
        expect(outcomes).toEqual(outcomesOf(all))
        expect(mostAtOnce).toBe(Math.min(all.length, 1))
      }),
    )
    const mutex = new KeyedMutex()
    let finish!: () => void
    const blocked = mutex.run('a', () => new Promise<void>((resolve) => (finish = resolve)))
    expect(await mutex.run('b', () => Promise.resolve('not blocked'))).toBe('not blocked')
    finish()
    await blocked
  })
})
