import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Deferred } from '../../../base/deferred.js'
import { Fault, Unavailable } from '../../../base/errors.js'
import { LogWriter } from '../../../daemon/log/log-writer.js'
import type { PreparedContainer } from '../../../isolation/isolation.js'
import { StagingHarness } from '../../support/staging-harness.js'
import { until } from '../../support/until.js'
import { done } from './stager-requests.js'

let harness: StagingHarness
/** The removals that have begun, each until it may go on, by the order of their begin. */
let removals: Deferred<void>[]

beforeEach(async () => {
  // One at a time, so that two may be removed when the next one begins. None is created ahead.
  harness = await StagingHarness.open(1, 0)
  await harness.addPackage('app', { state: 'uploaded' })
  removals = []
})
afterEach(async () => {
  vi.restoreAllMocks()
  finishRemovals()
  await harness.close()
  expect([...harness.isolation.left], 'launches that were never released').toEqual([])
})

/** @param more what else is different about a container */
function holdRemovals(more: Partial<PreparedContainer> = {}): void {
  const prepare = harness.isolation.prepare.bind(harness.isolation)
  harness.isolation.prepare = async (...plan) => {
    const container = await prepare(...plan)
    const release = container.release.bind(container)
    return Object.assign(container, more, {
      release: async (...cache: Parameters<typeof release>) => {
        const removal = new Deferred<void>()
        removals.push(removal)
        await removal.promise
        return await release(...cache)
      },
    })
  }
}

/** Also of those that begin later. */
function finishRemovals(): void {
  removals.push = (...more) => {
    for (const removal of more) removal.resolve()
    return removals.length
  }
  for (const removal of removals) removal.resolve()
}

const stage = async (name: string) => {
  await harness.addPackage(name, { state: 'uploaded' })
  return await harness.ended((await harness.submit(name, 'pipe', { reuse: false })).uuid)
}

describe('the removal of a launch', () => {
  it('does not keep the next staging from beginning', async () => {
    await harness.addPipeline('pipe', { build: done })
    holdRemovals()
    harness.start()
    expect((await stage('one')).state).toBe('succeeded')
    expect((await stage('two')).state).toBe('succeeded')
    await until('both are being removed', () => removals.length === 2)
    let isIdle = false
    const idle = harness.service.idle().then(() => (isIdle = true))
    await delay(20)
    expect({ isIdle, atWork: harness.service.atWork }).toEqual({ isIdle: false, atWork: 2 })
    finishRemovals()
    await idle
    expect(harness.service.atWork).toBe(0)
  })

  it('does not keep the next staging from beginning where the program could not be started', async () => {
    await harness.addPipeline('pipe', { build: done })
    holdRemovals({ start: () => Promise.reject(new Fault('no-mount', 'The overlay cannot be mounted.')) })
    harness.start()
    expect((await stage('one')).state).toBe('failed')
    expect((await stage('two')).state).toBe('failed')
    expect(removals).toHaveLength(2)
  })

  it('has the next launch wait once too many have not ended', async () => {
    await harness.addPipeline('pipe', { build: done, check: done })
    holdRemovals()
    harness.start()
    await stage('one')
    await harness.addPackage('two', { state: 'uploaded' })
    const { uuid } = await harness.submit('two', 'pipe', { reuse: false })
    await until('it waits', async () => (await harness.staging(uuid)).state === 'running')
    await until('both are being removed', () => removals.length === 2)
    await delay(50)
    expect((await harness.staging(uuid)).launches).toEqual([])
    removals[0]!.resolve()
    await until('it goes on', async () => (await harness.staging(uuid)).step === 1)
    removals[1]!.resolve()
    expect((await harness.ended(uuid)).state).toBe('succeeded')
  })

  it('does not keep a staging from being cancelled that waits for it', async () => {
    await harness.addPipeline('pipe', { build: done, check: done })
    holdRemovals()
    harness.start()
    await stage('one')
    await harness.addPackage('two', { state: 'uploaded' })
    const { uuid } = await harness.submit('two', 'pipe', { reuse: false })
    await until('both are being removed', () => removals.length === 2)
    await until('it waits', async () => (await harness.staging(uuid)).state === 'running')
    await delay(50)
    await harness.service.cancel(uuid)
    expect(await harness.ended(uuid)).toMatchObject({ state: 'cancelled', launches: [] })
  })

  it('has ended when a staging is taken up again that could not be ended', async () => {
    await harness.addPipeline('pipe', { build: done })
    holdRemovals()
    harness.start()
    vi.spyOn(LogWriter.prototype, 'sync').mockRejectedValueOnce(new Error('no space left on device'))
    await harness.addPackage('one', { state: 'uploaded' })
    await harness.submit('one', 'pipe')
    await until('it is being removed', () => removals.length === 1)
    await harness.addPackage('two', { state: 'uploaded' })
    const next = await harness.submit('two', 'pipe', { reuse: false })
    await delay(50)
    expect((await harness.staging(next.uuid)).state).toBe('queued')
    removals[0]!.resolve()
    expect((await harness.ended(next.uuid)).state).toBe('succeeded')
  })

  it('is awaited by a launch that finds no free network', async () => {
    await harness.addPipeline('pipe', { build: done })
    holdRemovals()
    const prepare = harness.isolation.prepare.bind(harness.isolation)
    let refused = 0
    harness.isolation.prepare = async (...plan) => {
      if (harness.isolation.left.size === 0) return await prepare(...plan)
      refused += 1
      throw new Unavailable('no-free-network', 'All 1 networks of the pool are in use.')
    }
    harness.start()
    await stage('one')
    const second = stage('two')
    await until('there is no network for it', () => refused === 1)
    removals[0]!.resolve()
    expect((await second).launches.map(({ state }) => state)).toEqual(['done'])
    expect(refused).toBe(1)
  })
})

it('a launch that finds no free network takes those of containers that were created ahead', async () => {
  await harness.close()
  harness = await StagingHarness.open(1, 2)
  await harness.addPipeline('pipe', { build: done })
  await harness.addPipeline('other', { check: done })
  harness.start()
  await stage('one')
  await until('two wait', () => harness.parts.prepared.count === 2)
  await until('nothing is being removed', () => harness.service.atWork === 0)
  const prepare = harness.isolation.prepare.bind(harness.isolation)
  harness.isolation.prepare = async (...plan) => {
    if (harness.isolation.left.size < 2) return await prepare(...plan)
    throw new Unavailable('no-free-network', 'All 2 networks of the pool are in use.')
  }
  await harness.addPackage('two', { state: 'uploaded' })
  expect((await harness.ended((await harness.submit('two', 'other')).uuid)).state).toBe('succeeded')
})
