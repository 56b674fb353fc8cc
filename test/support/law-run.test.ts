import { describe, expect, it } from 'vitest'
import { shrunkForAMinute } from './law-run.js'

const failing = () => Promise.reject(new Error('it does not hold'))

describe('the shrinking of a failure that takes long', () => {
  it('ends after a minute: then all holds', async () => {
    let now = 0
    const predicate = shrunkForAMinute(failing, {}, () => now)
    await expect(predicate()).rejects.toThrow('it does not hold')
    now = 60_000
    await expect(predicate()).rejects.toThrow('it does not hold')
    now = 60_001
    await predicate()
  })

  it('begins with the first failure, however long it held before', async () => {
    let now = 0
    let holds = true
    const predicate = shrunkForAMinute(
      () => (holds ? Promise.resolve() : failing()),
      {},
      () => now,
    )
    await predicate()
    now = 1_000_000
    holds = false
    await expect(predicate()).rejects.toThrow('it does not hold')
    now += 60_000
    await expect(predicate()).rejects.toThrow('it does not hold')
  })

  it.each([{ LAW_RUNS: '2000' }, { LAW_PATH: '0:1' }])('has no end where somebody waits for it: %o', (environment) => {
    expect(shrunkForAMinute(failing, environment)).toBe(failing)
  })
})
