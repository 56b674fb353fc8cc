import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Deferred } from '../../../base/deferred.js'
import { NotRunnable } from '../../../base/errors.js'
import { call, StagingHarness } from '../../support/staging-harness.js'
import type { FakeStager } from '../../support/fake-isolation.js'

let harness: StagingHarness
/** The ids of the containers, in the order in which their programs have begun. */
let begun: string[]

beforeEach(async () => {
  harness = await StagingHarness.open()
  begun = []
})
afterEach(async () => {
  await harness.close()
  expect([...harness.isolation.left], 'containers that were never released').toEqual([])
})

const done: FakeStager = async ({ url, plan }) => {
  begun.push(plan.id)
  await call(url, 'POST /done')
}

const stage = async (name = 'app') => {
  await harness.addPackage(name, { state: 'uploaded' }).catch(() => undefined)
  return await harness.ended((await harness.submit(name, 'pipe', { reuse: false })).uuid)
}
const waiting = () => [...harness.isolation.waiting]
/** One for the next launch, and one for a relaunch. */
const twoWait = () => expect.poll(() => waiting().length).toBe(2)

describe('the container of a launch', () => {
  it('was created ahead if its stager has run before, and has the UUID of the launch', async () => {
    await harness.addPipeline('pipe', { build: done })
    harness.start()
    await stage()
    await twoWait()
    const [ahead] = waiting()
    const { launches, state } = await stage('other')
    expect(state).toBe('succeeded')
    expect(launches.map(({ uuid }) => uuid)).toEqual([ahead])
    expect(begun[1]).toBe(ahead)
  })

  it('is created while the stager before it works', async () => {
    const first: FakeStager = async (context) => {
      await twoWait()
      await done(context)
    }
    await harness.addPipeline('pipe', { build: first, check: done })
    harness.start()
    const { launches } = await stage()
    expect(launches).toHaveLength(2)
    expect(begun).toEqual(launches.map(({ uuid }) => uuid))
  })

  it('is created after a stager that has what it expects, and so asks for no relaunch', async () => {
    let meanwhile: readonly string[] | undefined
    const busy: FakeStager = async (context) => {
      for (let request = 0; request < 50; request++) await call(context.url, 'GET /meta')
      meanwhile = waiting()
      await done(context)
    }
    await harness.addPipeline('pipe', { build: busy }, { expects: [{ type: 'runtime', name: 'node' }] })
    harness.start()
    await stage()
    expect(meanwhile).toEqual([])
    await twoWait()
  })

  it('is there for a relaunch', async () => {
    let ahead: string | undefined
    const relaunching: FakeStager = async (context) => {
      if (begun.length > 0) {
        await done(context)
        return
      }
      begun.push(context.plan.id)
      await twoWait()
      ahead = waiting()[0]
      await call(context.url, 'POST /relaunch')
    }
    await harness.addPipeline('pipe', { build: relaunching })
    harness.start()
    const { launches } = await stage()
    expect(launches.map(({ uuid }) => uuid)).toEqual([begun[0], ahead])
  })

  it('serves no other stager, no other user, and no other limits', async () => {
    await harness.addPipeline('pipe', { build: done })
    harness.start()
    await stage()
    for (const change of [
      { user: 'root' },
      { limits: { memoryBytes: 1 << 27, cpus: 1, pids: 9, diskBytes: 9, timeoutMs: 9000 } },
    ]) {
      await twoWait()
      const [ahead] = waiting()
      await harness.parts.stagers.update({ namespace: '/', name: 'build' }, change)
      await stage()
      expect(begun.at(-1)).not.toBe(ahead)
      await twoWait()
      await harness.parts.prepared.clear()
      await stage()
    }
  })

  it('is a new one where the shell of the waiting one cannot give a variable', async () => {
    await harness.addPipeline('pipe', { build: done })
    harness.start()
    await stage()
    await twoWait()
    const [ahead] = waiting()
    await harness.packages.update({ namespace: '/', name: 'app' }, { environment: { 'discovery.type': 'single' } })
    expect((await stage()).state).toBe('succeeded')
    expect(begun[1]).not.toBe(ahead)
  })

  it('is a new one where the waiting one is gone', async () => {
    await harness.addPipeline('pipe', { build: done })
    harness.start()
    await stage()
    await twoWait()
    const [ahead] = waiting()
    await harness.isolation.sweep(new Set())
    expect((await stage()).state).toBe('succeeded')
    expect(begun[1]).not.toBe(ahead)
  })

  it('is a new one where none could be created ahead', async () => {
    await harness.addPipeline('pipe', { build: done })
    const prepare = harness.isolation.prepare.bind(harness.isolation)
    harness.isolation.prepare = async (...plan) =>
      Object.assign(await prepare(...plan), {
        createAhead: () => Promise.reject(new NotRunnable('no-init', 'No shell.')),
      })
    harness.start()
    expect((await stage()).state).toBe('succeeded')
    expect((await stage()).state).toBe('succeeded')
    expect(waiting()).toEqual([])
  })
})

it('two wait again after launches that took them while they were being made', async () => {
  await harness.addPipeline('pipe', { build: done })
  const gates = Array.from({ length: 3 }, () => new Deferred<void>())
  const prepare = harness.isolation.prepare.bind(harness.isolation)
  harness.isolation.prepare = async (...plan) => {
    const container = await prepare(...plan)
    const createAhead = container.createAhead.bind(container)
    return Object.assign(container, {
      createAhead: async (...ahead: Parameters<typeof createAhead>) => {
        await gates.shift()?.promise
        await createAhead(...ahead)
      },
    })
  }
  const [first, second, third] = gates
  harness.start()
  await stage()
  const next = stage('other')
  first!.resolve()
  await next
  expect(begun).toHaveLength(2)
  second!.resolve()
  third!.resolve()
  await twoWait()
})

it('no more wait than the limit allows: the oldest makes way', async () => {
  await harness.addPipeline('pipe', { build: done })
  await harness.addPipeline('other', { check: done })
  await harness.addPipeline('third', { scan: done })
  harness.start()
  for (const pipeline of ['pipe', 'other', 'third']) {
    await harness.addPackage(pipeline, { state: 'uploaded' })
    await harness.ended((await harness.submit(pipeline, pipeline)).uuid)
    await twoWait()
  }
  expect(harness.parts.prepared.count).toBe(2)
})

it('none is left when the daemon stops, also while one is being created', async () => {
  await harness.addPipeline('pipe', { build: done })
  harness.start()
  await stage()
  await harness.service.stop()
  expect([...harness.isolation.left]).toEqual([])
})
