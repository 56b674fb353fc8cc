import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Unavailable } from '../../../base/errors.js'
import { INTERRUPTION_LIMIT } from '../../../daemon/model/staging.js'
import { LogStore } from '../../../daemon/log/log-store.js'
import { Resolver } from '../../../daemon/resolver/resolver.js'
import { SqlNodeLedger } from '../../../daemon/store/sql/node-ledger.js'
import { SqlNodes } from '../../../daemon/store/sql/nodes.js'
import type { FakeContext } from '../../support/fake-isolation.js'
import { call, StagingHarness } from '../../support/staging-harness.js'
import { until } from '../../support/until.js'
import { done, upload } from './stager-requests.js'

let harness: StagingHarness

beforeEach(async () => {
  harness = await StagingHarness.open()
  await harness.addPackage('app', { state: 'uploaded' })
})
afterEach(async () => {
  await harness.close()
  expect([...harness.isolation.left], 'launches that were never released').toEqual([])
})

async function stage(pipeline = 'pipe') {
  const { uuid } = await harness.submit('app', pipeline)
  return await harness.ended(uuid)
}

describe('interruptions', () => {
  async function engineReturnsOnceMissed() {
    const ping = vi.spyOn(harness.isolation, 'ping')
    const wasMissed = () => ping.mock.settledResults.some(({ type }) => type === 'rejected')
    await until('a call of the Engine has failed', wasMissed)
    ping.mockRestore()
    harness.isolation.down = undefined
  }

  it('resume a staging at the launch that was interrupted', async () => {
    let second = 0
    await harness.addPipeline('pipe', {
      first: async ({ url }) => {
        await upload(url, 'by first')
        await call(url, 'POST /done')
      },
      second: async ({ url, signal }) => {
        if (second++ === 0) await new Promise((resolve) => signal.addEventListener('abort', resolve))
        else await call(url, 'POST /done')
      },
    })
    harness.start()
    const { uuid } = await harness.submit('app', 'pipe')
    await until('the second stager works', () => second === 1)
    await harness.restart()
    const staging = await harness.ended(uuid)
    expect(staging.state).toBe('succeeded')
    expect(staging.launches.map(({ stagerFqn, state }) => `${stagerFqn} ${state}`)).toEqual([
      'job::/::first done',
      'job::/::second aborted',
      'job::/::second done',
    ])
    expect(await harness.data('app')).toBe('by first')
  })

  it('fail a staging whose daemon is killed again and again while it runs, and nothing ends that is interrupted less often', async () => {
    await harness.addPackage('other', { state: 'uploaded' })
    await harness.addPipeline('pipe', { any: done })
    const { uuid } = await harness.submit('app', 'pipe')
    for (let n = 0; n < INTERRUPTION_LIMIT; n++) await harness.crash({ admitted: 1 })
    const other = await harness.submit('other', 'pipe')
    await harness.crash({ admitted: 2 })
    harness.start()
    expect(await harness.ended(uuid)).toMatchObject({
      state: 'failed',
      launches: [],
      failure: {
        cause: 'infrastructure',
        message: 'it was interrupted 6 times, because its node or the Docker Engine there ended while it ran',
      },
    })
    expect((await harness.log(uuid)).join('\n')).toContain('it was interrupted 6 times')
    expect(await harness.ended(other.uuid)).toMatchObject({ state: 'succeeded' })
  })

  it('are not those of a daemon that is stopped in order, however often', async () => {
    let begun = 0
    await harness.addPipeline('pipe', {
      any: async (stager) => {
        begun += 1
        if (begun > INTERRUPTION_LIMIT + 1) await done(stager)
        else await new Promise((resolve) => stager.signal.addEventListener('abort', resolve))
      },
    })
    const { uuid } = await harness.submit('app', 'pipe')
    harness.start()
    for (let n = 1; n <= INTERRUPTION_LIMIT + 1; n++) {
      await until('it runs', () => begun === n)
      await harness.restart()
    }
    expect(await harness.ended(uuid)).toMatchObject({ state: 'succeeded', interruptions: 0 })
  })

  it('continue although the database could not be used at first', async () => {
    await harness.addPipeline('pipe', { any: done })
    const { uuid } = await harness.submit('app', 'pipe')
    await harness.crash({ admitted: 1 })
    const broken = vi
      .spyOn(SqlNodes.prototype, 'openTerm')
      .mockRejectedValueOnce(new Unavailable('database-locked', 'Another process has locked the database.'))
    harness.start()
    expect((await harness.ended(uuid)).state).toBe('succeeded')
    expect(broken).toHaveBeenCalledTimes(2)
    broken.mockRestore()
  })

  const LOST = new Unavailable('database-unreachable', 'The connection to PostgreSQL was lost.')

  /** The next one has its effect, of which its caller does not learn. */
  function loseAnswerOf(transition: 'advance' | 'admitNext') {
    const own = Reflect.get(SqlNodeLedger.prototype, transition) as (...given: unknown[]) => Promise<unknown>
    return vi.spyOn(SqlNodeLedger.prototype, transition).mockImplementationOnce(async function (
      this: SqlNodeLedger,
      ...given: unknown[]
    ) {
      await own.apply(this, given)
      throw LOST
    })
  }

  it.each(['beginLaunch', 'launchRunning', 'advance', 'succeed', 'fail'] as const)(
    'launch a stager again when the database was away for a moment, at the record of %s',
    async (transition) => {
      let launches = 0
      await harness.addPipeline('pipe', {
        first: async ({ url }) => {
          launches += 1
          const verdict = transition === 'fail' && launches === 1 ? 'failed' : 'done'
          await call(url, `POST /${verdict}`).catch(() => undefined)
        },
        second: async ({ url }) => void (await call(url, 'POST /done').catch(() => undefined)),
      })
      const broken = vi.spyOn(SqlNodeLedger.prototype, transition).mockRejectedValueOnce(LOST)
      harness.start()
      expect(await stage()).toMatchObject({ state: 'succeeded', failure: undefined })
      expect(broken.mock.settledResults[0]).toMatchObject({ type: 'rejected' })
      broken.mockRestore()
    },
  )

  it('go on after a verdict that was recorded although the database did not answer', async () => {
    const launched: string[] = []
    const verdict = (name: string) => async (stager: FakeContext) => {
      launched.push(name)
      await call(stager.url, 'POST /done').catch(() => undefined)
    }
    await harness.addPipeline('pipe', { first: verdict('first'), second: verdict('second') })
    const broken = loseAnswerOf('advance')
    harness.start()
    expect(await stage()).toMatchObject({ state: 'succeeded', interruptions: 0 })
    expect(launched).toEqual(['first', 'second'])
    broken.mockRestore()
  })

  it('begin a staging whose admission was recorded although the database did not answer', async () => {
    await harness.addPipeline('pipe', { any: done })
    const broken = loseAnswerOf('admitNext')
    const { uuid } = await harness.submit('app', 'pipe')
    harness.start()
    expect(await harness.ended(uuid)).toMatchObject({ state: 'succeeded', interruptions: 0 })
    broken.mockRestore()
  })

  it('continue although the catalogue could not be read for the plan', async () => {
    await harness.addPipeline('pipe', { any: done })
    const { uuid } = await harness.submit('app', 'pipe', { reuse: false })
    const broken = vi.spyOn(Resolver.prototype, 'with').mockRejectedValueOnce(LOST)
    harness.start()
    expect((await harness.ended(uuid)).state).toBe('succeeded')
    expect(broken.mock.settledResults[0]).toMatchObject({ type: 'rejected' })
    broken.mockRestore()
  })

  it('continue although the log could not be opened at first', async () => {
    await harness.addPipeline('pipe', { any: done })
    const broken = vi
      .spyOn(LogStore.prototype, 'write')
      .mockRejectedValueOnce(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }))
    harness.start()
    expect((await stage()).state).toBe('succeeded')
    expect(broken).toHaveBeenCalledTimes(2)
    broken.mockRestore()
  })

  it('wait until the Engine is available', async () => {
    await harness.addPipeline('pipe', { any: done })
    harness.isolation.down = new Unavailable('engine-down', 'The Docker Engine does not answer.')
    harness.start()
    const { uuid } = await harness.submit('app', 'pipe')
    expect(harness.service.ready).toBe(false)
    harness.isolation.down = undefined
    expect((await harness.ended(uuid)).state).toBe('succeeded')
  })

  it('launch a stager again that was lost with the Engine', async () => {
    let launches = 0
    await harness.addPipeline('pipe', {
      unlucky: async ({ url }) => {
        if (launches++ > 0) return void (await call(url, 'POST /done'))
        harness.isolation.loseEngine(new Unavailable('engine-down', 'The Docker Engine does not answer.'))
        void engineReturnsOnceMissed()
      },
    })
    harness.start()
    const staging = await stage()
    expect(staging.state).toBe('succeeded')
    expect(staging.launches.map(({ state }) => state)).toEqual(['aborted', 'done'])
  })

  it('launch a stager again for which the owners of files were mapped wrongly', async () => {
    await harness.addPipeline('pipe', { any: done })
    const changed = new Unavailable('engine-changed', 'The Docker Engine maps the owners of files otherwise.')
    vi.spyOn(harness.isolation, 'prepare').mockRejectedValueOnce(changed)
    harness.start()
    const staging = await stage()
    expect(staging.state).toBe('succeeded')
    expect(staging.launches.map(({ state }) => state)).toEqual(['aborted', 'done'])
  })

  it('fail a staging whose launches are lost repeatedly', async () => {
    await harness.addPipeline('pipe', {
      cursed: () => {
        harness.isolation.loseEngine(new Unavailable('engine-down', 'The Docker Engine does not answer.'))
        void engineReturnsOnceMissed()
        return Promise.resolve()
      },
    })
    harness.start()
    expect(await stage()).toMatchObject({ state: 'failed', failure: { cause: 'infrastructure' } })
  })
})
