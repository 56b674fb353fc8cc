import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Fault, Unavailable } from '../../../base/errors.js'
import { EngineRefusal } from '../../../isolation/engine/engine-errors.js'
import type { FakeContext } from '../../support/fake-isolation.js'
import { call, StagingHarness } from '../../support/staging-harness.js'

let harness: StagingHarness

beforeEach(async () => {
  harness = await StagingHarness.open()
  await harness.addPackage('app', { state: 'uploaded' })
  harness.start()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await harness.close()
  expect([...harness.isolation.left], 'launches that were never released').toEqual([])
})

const LIMITS = { memoryBytes: 1000, cpus: 1, pids: 10, diskBytes: 100, timeoutMs: 60_000 }
const DOWN = new Unavailable('engine-down', 'The Docker Engine does not answer.')
const aborted = async (signal: AbortSignal) => void (signal.aborted || (await once(signal, 'abort')))
const change = new URLSearchParams({ resource: 'environment', action: 'add', key: 'A', value: '1' })

describe('a stager that uses its grace period to finish its work', () => {
  /** Posts once it is told to end, as with `trap '…; post done' TERM`. */
  const late = async ({ url, signal, print }: FakeContext) => {
    await print('working')
    await aborted(signal)
    await call(url, 'GET /meta', undefined, 452)
    await call(url, 'GET /data', undefined, 452)
    await call(url, 'PUT /meta', change, 452)
    await print(await call(url, 'POST /done', undefined, 452))
  }
  const LATE_LINES = (why: string) => [
    `PUT /meta was refused with 452 (UUID Not Current): This launch has ended: ${why}.`,
    `POST /done was refused with 452 (UUID Not Current): This launch has ended: ${why}.`,
    `This launch has ended: ${why}.`,
  ]

  async function submitted(limits: Partial<typeof LIMITS> = {}) {
    await harness.addPipeline('pipe', { late }, { limits: { ...LIMITS, ...limits } })
    const { uuid } = await harness.submit('app', 'pipe')
    return uuid
  }

  async function working(uuid: string) {
    await expect.poll(async () => (await harness.staging(uuid)).launches[0]?.state).toBe('running')
  }

  it('after its timeout has failed by it', async () => {
    const uuid = await submitted({ timeoutMs: 50 })
    expect(await harness.ended(uuid)).toMatchObject({ state: 'failed', failure: { cause: 'timeout' } })
    expect(await harness.log(uuid)).toEqual(expect.arrayContaining(LATE_LINES('it ran longer than 0.05 seconds')))
    expect((await harness.packages.get({ namespace: '/', name: 'app' })).environment).toEqual({})
  })

  it('after a cancellation is cancelled', async () => {
    const uuid = await submitted()
    await working(uuid)
    await harness.service.cancel(uuid)
    expect(await harness.ended(uuid)).toMatchObject({ state: 'cancelled', launches: [{ state: 'aborted' }] })
    expect(await harness.log(uuid)).toEqual(expect.arrayContaining(LATE_LINES('it was stopped')))
  })

  it('at the end of the daemon is launched again by the next one', async () => {
    const uuid = await submitted()
    await working(uuid)
    await harness.service.stop()
    expect(await harness.staging(uuid)).toMatchObject({ state: 'running' })
    harness.isolation.stagers.set('./late', async ({ url }) => void (await call(url, 'POST /done')))
    await harness.restart()
    const staging = await harness.ended(uuid)
    expect(staging).toMatchObject({ state: 'succeeded', launches: [{ state: 'aborted' }, { state: 'done' }] })
    expect(await harness.log(uuid)).toEqual(expect.arrayContaining(LATE_LINES('it was stopped')))
  })

  it('after its verdict keeps it, also if it repeats it', async () => {
    await harness.addPipeline('pipe', {
      polite: async ({ url, signal }) => {
        await call(url, 'POST /done')
        await aborted(signal)
        await call(url, 'POST /failed', undefined, 452)
        await call(url, 'POST /done')
      },
    })
    const { uuid } = await harness.submit('app', 'pipe')
    expect(await harness.ended(uuid)).toMatchObject({ state: 'succeeded' })
  })
})

describe('while the Engine is away and nobody has noticed', () => {
  /** Until the daemon has missed it. */
  function loseEngine() {
    const { isolation, parts } = harness
    isolation.down = DOWN
    const sweep = parts.janitor.sweepOnceEngineIsBack.bind(parts.janitor)
    vi.spyOn(parts.janitor, 'sweepOnceEngineIsBack').mockImplementationOnce((...args) => {
      isolation.down = undefined
      return sweep(...args)
    })
  }

  /** Whether it is the first launch. */
  function losesEngineOnce() {
    let launches = 0
    return () => {
      if (launches++ > 0) return false
      loseEngine()
      return true
    }
  }

  async function stage(stager: (context: FakeContext) => Promise<void>) {
    const isLost = losesEngineOnce()
    const any = async (context: FakeContext) => {
      if (isLost()) await stager(context)
      else await call(context.url, 'POST /done')
    }
    await harness.addPipeline('pipe', { any }, { limits: LIMITS })
    const { uuid } = await harness.submit('app', 'pipe')
    const staging = await harness.ended(uuid)
    return { ...staging, log: (await harness.log(uuid)).join('\n') }
  }
  const AGAIN = { state: 'succeeded', failure: undefined, launches: [{ state: 'aborted' }, { state: 'done' }] }

  it.each(['done', 'failed', 'relaunch'])(
    'a verdict "%s" before which a limit cannot be ruled out is refused, and the stager launched again',
    async (verdict) => {
      const staging = await stage(async ({ url, writeFile }) => {
        writeFile('/x', 'x'.repeat(60))
        await call(url, `POST /${verdict}`, undefined, 452)
      })
      expect(staging).toMatchObject(AGAIN)
    },
  )

  it('a verdict "done" that needs no Engine is recorded', async () => {
    const isLost = losesEngineOnce()
    await harness.addPipeline('pipe', {
      any: async ({ url }) => {
        isLost()
        await call(url, 'POST /done')
      },
    })
    const { uuid } = await harness.submit('app', 'pipe')
    expect(await harness.ended(uuid)).toMatchObject({ state: 'succeeded', launches: [{ state: 'done' }] })
    harness.isolation.down = undefined
  })

  it('a snapshot that fails for it ends the launch, and not the verdict of the stager about that', async () => {
    const staging = await stage(async ({ url, signal }) => {
      await call(url, 'POST /snapshot', undefined, 499)
      expect(signal.aborted).toBe(true)
      await call(url, 'POST /failed', undefined, 452)
    })
    expect(staging).toMatchObject(AGAIN)
  })

  it('a stager that reports failure may fail for want of the Engine, which resolves names', async () => {
    const staging = await stage(async ({ url }) => void (await call(url, 'POST /failed', undefined, 452)))
    expect(staging).toMatchObject(AGAIN)
    expect(staging.log).toContain('This launch has ended: the Docker Engine does not answer, and the stager is')
  })

  it('a stager that ends without a verdict may have been ended by it', async () => {
    expect(await stage(({ exit }) => Promise.resolve(exit(143)))).toMatchObject(AGAIN)
  })

  it('a start that fails in whatever form is not the fault of the package', async () => {
    vi.spyOn(harness.isolation, 'prepare').mockImplementationOnce(() => {
      loseEngine()
      return Promise.reject(
        new Fault('engine-refused', 'The Docker Engine refused to create a network: shutting down.'),
      )
    })
    await harness.addPipeline('pipe', { any: async ({ url }) => void (await call(url, 'POST /done')) })
    const { uuid } = await harness.submit('app', 'pipe')
    expect(await harness.ended(uuid)).toMatchObject(AGAIN)
  })

  it('an Engine that answers, and fails to do what it is asked, is asked again', async () => {
    const error = new EngineRefusal(500, 'transport is closing', 'The Docker Engine refused: transport is closing.')
    vi.spyOn(harness.isolation, 'prepare').mockRejectedValueOnce(error)
    await harness.addPipeline('pipe', { any: async ({ url }) => void (await call(url, 'POST /done')) })
    const { uuid } = await harness.submit('app', 'pipe')
    expect(await harness.ended(uuid)).toMatchObject(AGAIN)
  })

  it('an Engine that fails each time fails the staging, and not for ever', async () => {
    const error = new EngineRefusal(500, 'no cgroup', 'The Docker Engine refused: no cgroup.')
    vi.spyOn(harness.isolation, 'prepare').mockRejectedValue(error)
    await harness.addPipeline('pipe', { any: async ({ url }) => void (await call(url, 'POST /done')) })
    const { uuid } = await harness.submit('app', 'pipe')
    expect(await harness.ended(uuid)).toMatchObject({ state: 'failed', failure: { cause: 'infrastructure' } })
  })
})
