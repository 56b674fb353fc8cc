import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Fault } from '../../../base/errors.js'
import { Coordinator } from '../../../daemon/coordinator/coordinator.js'
import { Launch } from '../../../daemon/staging/launch.js'
import { SqlNodeLedger } from '../../../daemon/store/sql/node-ledger.js'
import type { FakeContext } from '../../support/fake-isolation.js'
import { call, StagingHarness } from '../../support/staging-harness.js'
import { until } from '../../support/until.js'

let harness: StagingHarness

beforeEach(async () => {
  harness = await StagingHarness.open()
  await harness.addPackage('app', { state: 'uploaded' })
})
afterEach(async () => {
  vi.restoreAllMocks()
  await harness.close()
  expect([...harness.isolation.left], 'launches that were never released').toEqual([])
})

const done = ({ url }: FakeContext) => call(url, 'POST /done').then(() => undefined)

async function stage() {
  harness.start()
  const { uuid } = await harness.submit('app', 'pipe')
  const staging = await harness.ended(uuid)
  // The cleanup of a launch runs in parallel with what follows, so wait for it.
  await harness.service.stop()
  return staging
}

/** STAGER_URL of the next launch, once it is open. */
function watchListener(): string[] {
  const urls: string[] = []
  vi.spyOn(Coordinator.prototype, 'open').mockImplementationOnce(async function (this: Coordinator, ...launch) {
    const listener = await this.open(...launch)
    urls.push(listener.url)
    return listener
  })
  return urls
}

describe('the environment of a launch', () => {
  const environmentOf = async (egress: boolean, environment: Record<string, string>) => {
    let seen: Readonly<Record<string, string>> = {}
    const stager = async (context: FakeContext) => {
      seen = context.plan.environment
      await done(context)
    }
    await harness.addPipeline('pipe', { any: stager }, { egress, environment })
    expect(await stage()).toMatchObject({ state: 'succeeded' })
    return seen
  }

  it('keeps requests to the coordinator from a proxy that the stager has', async () => {
    const environment = await environmentOf(false, { http_proxy: 'http://own:1', NO_PROXY: 'a.lan' })
    expect(environment).toMatchObject({
      http_proxy: 'http://own:1',
      no_proxy: 'a.lan,127.0.0.1',
      NO_PROXY: 'a.lan,127.0.0.1',
      STAGER_URL: expect.stringContaining('//127.0.0.1:') as string,
    })
  })

  it('has the proxies of the node with egress, and their exceptions', async () => {
    const environment = await environmentOf(true, {})
    expect(environment).toMatchObject({ http_proxy: 'http://proxy:3128', no_proxy: '.lan,127.0.0.1' })
  })

  it('has the runtimes that the package can be given next, over a variable of that name', async () => {
    await harness.addPackage('node-20', { provides: [{ type: 'runtime', name: 'node-20' }] })
    await harness.addPackage('node-18', { provides: [{ type: 'runtime', name: 'node-18' }] })
    const unresolvable = [{ type: 'os', name: 'lost' }] as const
    await harness.addPackage('ruby', { provides: [{ type: 'runtime', name: 'ruby' }], dependencies: unresolvable })
    expect(await environmentOf(false, { STAGER_RUNTIMES: 'mine' })).toMatchObject({
      STAGER_RUNTIMES: 'runtime.node-20 runtime.node-18',
    })
  })

  it('has no proxy without egress', async () => {
    expect(await environmentOf(false, {})).not.toHaveProperty('http_proxy')
  })
})

describe('the cache of a launch', () => {
  const keptAfter = async (end: (context: FakeContext) => Promise<void>) => {
    await harness.addPipeline('pipe', {
      any: async (context) => {
        context.cache.set('file', 'kept')
        await end(context)
      },
    })
    await stage()
    return harness.isolation.stagerCacheFiles.size === 1
  }

  it('is kept after done, when the stager has exited by itself', async () => {
    expect(await keptAfter(done)).toBe(true)
  })

  it('is kept after failed', async () => {
    expect(await keptAfter(({ url }) => call(url, 'POST /failed').then(() => undefined))).toBe(true)
  })

  it.each<[string, (context: FakeContext) => Promise<void>]>([
    ['without a verdict', () => Promise.resolve()],
    [
      'by a limit',
      async ({ allocate }) => {
        allocate(Number.MAX_SAFE_INTEGER)
        await Promise.resolve()
      },
    ],
    [
      'by a limit that was hit before its verdict',
      async (context) => {
        context.allocateInChild(Number.MAX_SAFE_INTEGER)
        await done(context).catch(() => undefined)
      },
    ],
  ])('is dropped when the stager ended %s', async (_, end) => {
    expect(await keptAfter(end)).toBe(false)
  })
})

describe('the listener of a launch', () => {
  it('is closed when the launch has ended', async () => {
    const urls = watchListener()
    await harness.addPipeline('pipe', { any: done })
    expect(await stage()).toMatchObject({ state: 'succeeded' })
    expect(urls).toHaveLength(1)
    await expect(fetch(urls[0]!)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
  })

  it('is closed when the container cannot be started, and the container is released', async () => {
    const urls = watchListener()
    await harness.addPipeline('pipe', { any: done })
    harness.isolation.stagers.clear()
    expect(await stage()).toMatchObject({ state: 'failed', failure: { cause: 'stager-failed' } })
    expect(urls).toHaveLength(1)
    await expect(fetch(urls[0]!)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
    expect([...harness.isolation.left]).toEqual([])
  })

  it('cannot be opened: the container is released and never started', async () => {
    vi.spyOn(Coordinator.prototype, 'open').mockRejectedValue(new Fault('coordinator-listen', 'It cannot listen.'))
    const ran = vi.fn(done)
    await harness.addPipeline('pipe', { any: ran })
    expect(await stage()).toMatchObject({ state: 'failed', failure: { cause: 'infrastructure' } })
    expect(ran).not.toHaveBeenCalled()
    expect([...harness.isolation.left]).toEqual([])
  })
})

describe('a verdict', () => {
  it('that comes before the start is recorded waits for that record', async () => {
    let post = (): void => undefined
    const posted = new Promise<void>((resolve) => (post = resolve))
    vi.spyOn(Launch.prototype, 'settle').mockImplementationOnce(function (this: Launch, ...verdict) {
      post()
      return this.settle(...verdict)
    })
    vi.spyOn(SqlNodeLedger.prototype, 'launchRunning').mockImplementationOnce(async function (
      this: SqlNodeLedger,
      launch,
    ) {
      await posted
      await this.launchRunning(launch)
    })
    await harness.addPipeline('pipe', { any: done })
    expect(await stage()).toMatchObject({ state: 'succeeded', launches: [{ state: 'done', exitCode: 0 }] })
  })

  it('that cannot be recorded fails the staging, and the launch is released', async () => {
    vi.spyOn(SqlNodeLedger.prototype, 'succeed').mockRejectedValue(new Error('disk I/O error'))
    await harness.addPipeline('pipe', {
      any: ({ url }) => call(url, 'POST /done', undefined, 499).then(() => undefined),
    })
    expect(await stage()).toMatchObject({ state: 'failed', failure: { cause: 'infrastructure' } })
    expect([...harness.isolation.left]).toEqual([])
  })
})

it('the layers of /stagerfs are built while the container is prepared', async () => {
  const { isolation } = harness
  await harness.addPackage('ruby', { provides: [{ type: 'runtime', name: 'ruby' }] })
  const dependencies = [{ type: 'runtime', name: 'ruby' }] as const
  await harness.packages.update({ namespace: '/', name: 'app' }, { dependencies })
  await harness.addPipeline('pipe', { any: done })
  vi.spyOn(isolation, 'prepare').mockImplementationOnce(async (...request) => {
    await expect.poll(() => isolation.materialised).toEqual(['package::/::ruby'])
    return await isolation.prepare(...request)
  })
  expect(await stage()).toMatchObject({ state: 'succeeded' })
})

it('a staging is cancelled although nobody can end its last program, whose successor never begins', async () => {
  const { isolation } = harness
  const prepare = isolation.prepare.bind(isolation)
  vi.spyOn(isolation, 'prepare').mockImplementationOnce(async (...request) => {
    const container = await prepare(...request)
    const start = container.start.bind(container)
    const finished = () => new Promise<never>(() => undefined)
    return Object.assign(container, {
      start: async (...of: Parameters<typeof start>) => Object.assign(await start(...of), { finished }),
    })
  })
  const next = vi.fn(done)
  await harness.addPipeline('pipe', { first: done, next })
  harness.start()
  const { uuid } = await harness.submit('app', 'pipe')
  await until('it has its verdict', async () => (await harness.staging(uuid)).launches[0]?.state === 'done')
  await harness.service.cancel(uuid)
  expect(await harness.ended(uuid)).toMatchObject({ state: 'cancelled' })
  expect(next).not.toHaveBeenCalled()
})
