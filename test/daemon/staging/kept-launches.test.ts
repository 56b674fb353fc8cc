import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ShellHooks } from '../../../isolation/kept-container.js'
import type { FakeContext } from '../../support/fake-isolation.js'
import { call, MAX_KEPT, StagingHarness } from '../../support/staging-harness.js'

const HOUR = 3_600_000

let harness: StagingHarness

beforeEach(async () => {
  harness = await StagingHarness.open(1)
  await harness.addPackage('app', { state: 'uploaded' })
})
/** How many containers there are of launches that have begun. */
const launched = () => harness.isolation.left.size - harness.isolation.waiting.size
afterEach(async () => {
  await harness.close()
  expect([...harness.isolation.left], 'containers that were never released').toEqual([])
})

const fails = async ({ url, writeFile, exit }: FakeContext) => {
  writeFile('/tmp/why', 'because\n')
  await call(url, 'POST /failed')
  exit(1)
}

/** Stages to the end. */
async function stage(stager: (context: FakeContext) => Promise<void>, keepFailedMs: number | undefined = HOUR) {
  const name = `pipe-${crypto.randomUUID().slice(0, 8)}`
  await harness.addPipeline(name, { [name]: stager })
  harness.start()
  const { uuid } = await harness.submit('app', name, { keepFailedMs })
  return await harness.ended(uuid)
}

async function ask(staging: string, script: string) {
  let printed = ''
  const hooks: ShellHooks = {
    output: (_stream, chunk) => {
      printed += chunk.toString()
      return Promise.resolve()
    },
  }
  const shell = await harness.parts.kept.openShell(staging, { command: undefined, terminal: undefined }, hooks)
  await shell.input(Readable.from([Buffer.from(script)]))
  return { ...(await shell.ended), printed }
}

const sleeping = (staging: string) =>
  harness.parts.kept.openShell(
    staging,
    { command: ['sleep', '60'], terminal: undefined },
    { output: () => Promise.resolve() },
  )

describe('a failed launch of a staging that asks for it', () => {
  it('is kept, with a line that says how to get in, and the staging has failed as any other', async () => {
    const { uuid, state, failure } = await stage(fails)
    expect([state, failure?.cause]).toEqual(['failed', 'stager-failed'])
    expect((await harness.log(uuid)).slice(-2)).toEqual([
      `The container is kept for 1h. To open a shell in it: stagectl staging shell ${uuid}`,
      `To remove it earlier: stagectl staging release ${uuid}`,
    ])
    const [kept] = harness.parts.kept.list()
    expect(kept).toMatchObject({ staging: uuid, packageFqn: 'package::/::app', shells: 0 })
    expect(kept!.until.getTime() - kept!.since.getTime()).toBe(HOUR)
    expect(launched()).toBe(1)
  })

  it('does not hold up the queue, and a sweep leaves it alone', async () => {
    const first = await stage(fails)
    await harness.parts.janitor.sweep()
    const second = await stage(async ({ url }) => void (await call(url, 'POST /done')))
    expect(second.state).toBe('succeeded')
    expect(harness.parts.kept.list().map(({ staging }) => staging)).toEqual([first.uuid])
  })

  it('has shells with all that the stager has left, which do not change the package', async () => {
    const before = await harness.packages.get({ namespace: '/', name: 'app' })
    const { uuid } = await stage(fails)
    expect(await ask(uuid, 'cat /tmp/why\npwd\nexit 3\n')).toEqual({
      kind: 'exited',
      exitCode: 3,
      printed: 'because\n/app\n',
    })
    const after = await harness.packages.get({ namespace: '/', name: 'app' })
    expect(after.resource).toEqual(before.resource)
  })

  it('finds its coordinator closed to it, at an address that nobody else can take', async () => {
    let url = ''
    await stage(async (context) => {
      url = context.url
      await fails(context)
    })
    const response = await fetch(`${url}/data`)
    expect(response.status).toBe(452)
    await harness.parts.kept.release(harness.parts.kept.list()[0]!.staging)
    await expect(fetch(`${url}/data`)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
  })

  it.each([
    ['exits without a verdict', ({ exit }: FakeContext) => exit(4), 'no-verdict'],
    ['runs out of memory', ({ allocate }: FakeContext) => allocate(2 ** 40), 'out-of-memory'],
    [
      'goes on after its verdict',
      async ({ url, signal }: FakeContext) => {
        await call(url, 'POST /failed')
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      },
      'stager-failed',
    ],
  ] as const)('is kept when its stager %s', async (_how, stager, cause) => {
    const { uuid, failure } = await stage(async (context) => await stager(context))
    expect(failure?.cause).toBe(cause)
    expect(harness.parts.kept.of(uuid)).toBeDefined()
  })

  it('is released after its time, and its shells are told', async () => {
    const { uuid } = await stage(fails, 300)
    const shell = await sleeping(uuid)
    expect(await shell.ended).toEqual({ kind: 'gone', message: 'The kept container was released after 0s.' })
    await expect.poll(() => launched()).toBe(0)
    expect(harness.parts.kept.list()).toEqual([])
    await expect(sleeping(uuid)).rejects.toMatchObject({ code: 'not-kept' })
  })

  it('is released on request, once', async () => {
    const { uuid } = await stage(fails)
    const shell = await sleeping(uuid)
    expect(harness.parts.kept.of(uuid)).toMatchObject({ shells: 1 })
    await harness.parts.kept.release(uuid)
    expect(launched()).toBe(0)
    expect(await shell.ended).toEqual({ kind: 'gone', message: 'The kept container was released on request.' })
    await expect(harness.parts.kept.release(uuid)).rejects.toMatchObject({ code: 'not-kept' })
  })

  it('is released when the daemon stops', async () => {
    const { uuid } = await stage(fails)
    const shell = await sleeping(uuid)
    await harness.service.stop()
    expect(launched()).toBe(0)
    expect(await shell.ended).toEqual({ kind: 'gone', message: 'The kept container is released: stagerd is stopping.' })
  })

  it('is forgotten when the Engine is lost', async () => {
    const { uuid } = await stage(fails)
    const shell = await sleeping(uuid)
    harness.isolation.loseEngine(new Error('the Engine is gone'))
    expect(await shell.ended).toEqual({ kind: 'gone', message: 'The kept container is lost: the Engine is gone.' })
    await expect.poll(() => harness.parts.kept.list()).toEqual([])
    harness.isolation.down = undefined
  })

  it('is kept by a daemon that continues the staging after a restart', async () => {
    let launches = 0
    await harness.addPipeline('pipe', {
      slow: async (context) => {
        if (++launches > 1) await fails(context)
        await new Promise((resolve) => context.signal.addEventListener('abort', resolve))
      },
    })
    harness.start()
    const { uuid } = await harness.submit('app', 'pipe', { keepFailedMs: HOUR })
    await expect.poll(() => launches).toBe(1)
    await harness.restart()
    expect((await harness.ended(uuid)).state).toBe('failed')
    expect(harness.parts.kept.of(uuid)).toBeDefined()
  })
})

describe('a staging that asks for it, beside what is kept for its package and stager', () => {
  const submit = async (pipeline: string, keepFailedMs?: number, reuse = true) =>
    await harness.ended((await harness.submit('app', pipeline, { keepFailedMs, reuse })).uuid)

  it('is answered by an earlier result like any other, and its own result answers others', async () => {
    let launches = 0
    await harness.addPipeline('pipe', {
      counts: async ({ url }) => {
        launches += 1
        await call(url, 'POST /done')
      },
    })
    harness.start()
    const first = await submit('pipe', HOUR)
    const second = await submit('pipe')
    const third = await submit('pipe', HOUR)
    expect([second.reused, third.reused]).toEqual([first.uuid, first.uuid])
    expect(launches).toBe(1)
    expect((await harness.log(third.uuid)).join('\n')).not.toContain('kept')
  })

  it('drops what a kept launch has put into the cache, for which no other launch waits', async () => {
    const found: (readonly string[])[] = []
    let fail = true
    await harness.addPipeline('pipe', {
      caches: async (context) => {
        found.push([...context.cache.keys()])
        context.cache.set(`of-${found.length}`, 'x')
        if (fail) await fails(context)
        await call(context.url, 'POST /done')
      },
    })
    harness.start()
    const first = await submit('pipe', HOUR)
    fail = false
    expect((await submit('pipe', HOUR)).state).toBe('succeeded')
    expect(harness.parts.kept.of(first.uuid)).toBeDefined()
    await harness.parts.kept.release(first.uuid)
    await submit('pipe', undefined, false)
    expect(found).toEqual([[], [], ['of-2']])
  })

  it('adds to the cache after a failure whose container cannot be kept', async () => {
    for (let n = 0; n < MAX_KEPT; n++) await sleeping((await stage(fails)).uuid)
    const found: (readonly string[])[] = []
    await harness.addPipeline('pipe', {
      caches: async (context) => {
        found.push([...context.cache.keys()])
        context.cache.set('file', 'x')
        await fails(context)
      },
    })
    await submit('pipe', HOUR)
    await submit('pipe')
    expect(found).toEqual([[], ['file']])
  })
})

describe('what is not kept', () => {
  it('is a launch that goes on after it was done: it is stopped like any other, and can end properly', async () => {
    let stopped = false
    const { state } = await stage(async ({ url, signal }) => {
      await call(url, 'POST /done')
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      stopped = true
    })
    expect([state, stopped]).toEqual(['succeeded', true])
    await expect.poll(() => launched()).toBe(0)
  })

  it('is a launch that succeeds, that is cancelled, or of a staging that does not ask for it', async () => {
    expect((await stage(async ({ url }) => void (await call(url, 'POST /done')))).state).toBe('succeeded')
    await harness.addPipeline('pipe', {
      slow: ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    })
    const { uuid } = await harness.submit('app', 'pipe', { keepFailedMs: HOUR })
    await expect.poll(async () => (await harness.staging(uuid)).launches[0]?.state).toBe('running')
    await harness.service.cancel(uuid)
    expect((await harness.ended(uuid)).state).toBe('cancelled')
    await harness.addPipeline('last', { last: fails })
    const unasked = await harness.submit('app', 'last')
    expect((await harness.ended(unasked.uuid)).state).toBe('failed')
    await expect.poll(() => launched()).toBe(0)
    expect(harness.parts.kept.list()).toEqual([])
  })

  it('is the oldest one that nobody uses, when there are more than the setting allows', async () => {
    const stagings = []
    for (let n = 0; n < MAX_KEPT; n++) stagings.push((await stage(fails)).uuid)
    const shell = await sleeping(stagings[0]!)
    const newest = (await stage(fails)).uuid
    expect(harness.parts.kept.list().map(({ staging }) => staging)).toEqual([stagings[0], ...stagings.slice(2), newest])
    shell.hangUp()
  })

  it('is the newest one, when a shell is open in each', async () => {
    const shells = []
    for (let n = 0; n < MAX_KEPT; n++) shells.push(await sleeping((await stage(fails)).uuid))
    const { uuid } = await stage(fails)
    expect(harness.parts.kept.of(uuid)).toBeUndefined()
    expect((await harness.log(uuid)).at(-1)).toContain('The container cannot be kept: this node keeps 2 already')
    for (const shell of shells) shell.hangUp()
  })
})
