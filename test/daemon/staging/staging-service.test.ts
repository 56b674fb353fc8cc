import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Unavailable } from '../../../base/errors.js'
import { LogStore } from '../../../daemon/log/log-store.js'
import { SqliteLedger } from '../../../daemon/store/sqlite/ledger.js'
import { call, StagingHarness } from '../../support/staging-harness.js'
import type { FakeContext } from '../../support/fake-isolation.js'

let harness: StagingHarness

beforeEach(async () => {
  harness = await StagingHarness.open()
  await harness.addPackage('app', { state: 'uploaded' })
})
afterEach(async () => {
  await harness.close()
  expect([...harness.isolation.left], 'launches that were never released').toEqual([])
})

const done = ({ url }: FakeContext) => call(url, 'POST /done').then(() => undefined)

const upload = (url: string, data: string) =>
  call(url, `POST /data?sha256=${createHash('sha256').update(data).digest('hex')}`, data)

const setEnvironment = (url: string, key: string, value: string) =>
  call(url, 'PUT /meta', new URLSearchParams({ resource: 'environment', action: 'add', key, value }))

const addDependency = (url: string, type: string, name: string) =>
  call(url, 'PUT /meta', new URLSearchParams({ resource: 'dependencies', action: 'add', type, name }))

async function until(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`timed out before ${what}`)
    await delay(5)
  }
}

async function stage(pipeline = 'pipe') {
  const { uuid } = await harness.submit('app', pipeline)
  return await harness.ended(uuid)
}

describe('a staging', () => {
  it('runs every stager of the pipeline, and logs each step', async () => {
    await harness.addPipeline('pipe', {
      build: async ({ url, print }) => {
        await print('building')
        await upload(url, 'built')
        await setEnvironment(url, 'START_COMMAND', './run')
        await call(url, 'POST /done')
      },
      test: async ({ url, print }) => {
        await print(`testing what was ${await call(url, 'GET /data')}`)
        await call(url, 'POST /done')
      },
    })
    harness.start()
    const staging = await stage()
    expect(staging.state).toBe('succeeded')
    expect(staging.launches.map(({ state }) => state)).toEqual(['done', 'done'])
    expect(await harness.log(staging.uuid)).toEqual([
      "Beginning staging with 'stagpipe::/::pipe' pipeline, 2 stager(s) defined.",
      "Launching instance of stager 'build'...",
      'building',
      "Launching instance of stager 'test'...",
      'testing what was built',
      'Staging is complete.',
    ])
    const result = await harness.packages.get({ namespace: '/', name: 'app' })
    expect(result).toMatchObject({ state: 'ready', environment: { START_COMMAND: './run' } })
    expect(await harness.data('app')).toBe('built')
  })

  it('starts a stager in /app if START_PATH of its package is missing or empty', async () => {
    const seen: string[] = []
    await harness.addPipeline('pipe', {
      look: async (context) => {
        seen.push(context.plan.workingDirectory)
        await done(context)
      },
    })
    const program = { namespace: '/', name: 'program-of-look' }
    harness.start()
    for (const START_PATH of [undefined, '', '/opt/look']) {
      await harness.packages.update(program, { environment: START_PATH === undefined ? {} : { START_PATH } })
      expect((await stage()).state).toBe('succeeded')
    }
    expect(seen).toEqual(['/app', '/app', '/opt/look'])
  })

  it('changes the package only when it succeeds', async () => {
    const seen: unknown[] = []
    await harness.addPipeline('pipe', {
      build: async ({ url }) => {
        await upload(url, 'built')
        await setEnvironment(url, 'X', '1')
        await call(url, 'POST /done')
      },
      test: async ({ url, print }) => {
        const { state, environment } = await harness.packages.get({ namespace: '/', name: 'app' })
        seen.push(state, environment)
        await print('1 test failed')
        await call(url, 'POST /failed')
      },
    })
    harness.start()
    const staging = await stage()
    expect(seen).toEqual(['staging', {}])
    expect(staging).toMatchObject({ state: 'failed', failure: { cause: 'stager-failed', stager: 'job::/::test' } })
    expect(await harness.packages.get({ namespace: '/', name: 'app' })).toMatchObject({
      state: 'failed',
      environment: {},
    })
    expect(await harness.data('app')).toBe('app')
    expect((await harness.log(staging.uuid)).slice(-5)).toEqual([
      "Staging failed in stager 'job::/::test': it reported failure.",
      'Cause: stager-failed',
      'Last lines of the stager:',
      '  1 test failed',
      'What to do: Its last lines show why; correct the application and stage it again.',
    ])
  })

  it.each([
    ['reports failure', 'stager-failed', ({ url }: FakeContext) => call(url, 'POST /failed').then(() => undefined)],
    ['ends without a verdict', 'no-verdict', ({ exit }: FakeContext) => Promise.resolve(exit(1))],
  ])('has a hint that fits the last lines of a stager that %s', async (_what, cause, end) => {
    await harness.addPipeline('pipe', {
      any: async (context) => {
        await context.print('npm error code EAI_AGAIN')
        await context.print('npm error syscall getaddrinfo')
        await context.print(
          'npm error request to https://registry.npmjs.org/x failed, reason: getaddrinfo EAI_AGAIN registry.npmjs.org',
        )
        for (let line = 0; line < 20; line++) await context.print(`npm error line ${line}`)
        await end(context)
      },
    })
    harness.start()
    const staging = await stage()
    const hint = expect.stringMatching(
      /registry\.npmjs\.org, because it has no network access: allow it with 'stagectl stager update job::\/::any --allow-egress'/,
    ) as string
    expect(staging).toMatchObject({ state: 'failed', failure: { cause, hint } })
    expect((await harness.log(staging.uuid)).at(-1)).toBe(`What to do: ${staging.failure?.hint ?? ''}`)
  })

  it('has a hint that fits what a stager prints after its verdict', async () => {
    await harness.addPipeline('pipe', {
      any: async ({ url, print }) => {
        await call(url, 'POST /failed')
        await print('npm error Missing script: "start"')
      },
    })
    harness.start()
    expect(await stage()).toMatchObject({ failure: { hint: expect.stringContaining('no script "start"') as string } })
  })

  it('fails if its result is over the quota of the namespace by then, and the stager is told', async () => {
    let refusal = ''
    await harness.addPipeline('pipe', {
      build: async ({ url }) => {
        await upload(url, 'built')
        await harness.putPolicy('on quota::/ { { total.package.size 20B } }')
        refusal = await call(url, 'POST /done', undefined, 499)
        await call(url, 'POST /done', undefined, 452)
      },
    })
    harness.start()
    const staging = await stage()
    expect(refusal).toMatch(/^All packages in \/ together may have 20 B of data/)
    expect(staging).toMatchObject({ state: 'failed', failure: { cause: 'policy', stager: 'job::/::build' } })
    expect(staging.failure?.message).toBe(refusal.replace(/\.$/, ''))
    expect(await harness.data('app')).toBe('app')
  })

  it('keeps a ready package ready while a new source of it is staged, and if that fails', async () => {
    await harness.addPackage('library')
    const before = await harness.packages.get({ namespace: '/', name: 'library' })
    const source = {
      resource: (await harness.addPackage('new-source')).resource!,
      dependencies: undefined,
      environment: undefined,
    }
    await harness.addPipeline('pipe', {
      check: async ({ url }) => {
        expect(await call(url, 'GET /data')).toBe('new-source')
        await call(url, attempts++ === 0 ? 'POST /failed' : 'POST /done')
      },
    })
    let attempts = 0
    harness.start()
    const first = await harness.service.submit({ uuid: before.uuid }, { namespace: '/', name: 'pipe' }, { source })
    expect((await harness.ended(first.uuid)).state).toBe('failed')
    expect({ ...(await harness.packages.get({ uuid: before.uuid })), updatedAt: before.updatedAt }).toEqual(before)
    const second = await harness.service.retry(first.uuid)
    expect((await harness.ended(second.uuid)).state).toBe('succeeded')
    expect(await harness.data('library')).toBe('new-source')
  })

  it('may depend on a ready package that is staged anew meanwhile, and gets its data from before', async () => {
    await harness.addPackage('library', { provides: [{ type: 'file', name: 'library' }] })
    let finish: () => void = () => undefined
    const finished = new Promise<void>((resolve) => (finish = resolve))
    await harness.addPipeline('slow', {
      slow: async ({ url }) => {
        await upload(url, 'new library')
        await finished
        await call(url, 'POST /done')
      },
    })
    const seen: unknown[] = []
    await harness.addPipeline('pipe', {
      build: async ({ url, plan }) => {
        seen.push(plan.stagerfs?.map(({ name, sha256 }) => [name, sha256]))
        await addDependency(url, 'file', 'library')
        await call(url, seen.length === 1 ? 'POST /relaunch' : 'POST /done')
      },
    })
    const { resource } = await harness.packages.get({ namespace: '/', name: 'library' })
    harness.start()
    const { uuid } = await harness.submit('library', 'slow')
    await until('the library is at work', async () => (await harness.staging(uuid)).launches[0]?.state === 'running')
    expect((await stage()).failure).toBeUndefined()
    expect(seen).toEqual([[], [['package::/::library', resource?.sha256]]])
    finish()
    expect((await harness.ended(uuid)).state).toBe('succeeded')
    expect(await harness.data('library')).toBe('new library')
  })

  it('has why a request of a stager was refused in its log, for clients print the number alone', async () => {
    await harness.addPipeline('pipe', {
      mistaken: async ({ url, print }) => {
        await call(url, 'PUT /meta', new URLSearchParams({ resource: 'labels', action: 'add' }), 448)
        await print('HTTP Error 448')
        await call(url, 'POST /failed')
      },
    })
    harness.start()
    const log = await harness.log((await stage()).uuid)
    expect(log.slice(2, 4)).toEqual([
      expect.stringMatching(/^PUT \/meta was refused with 448 \(Resource Not Supported\): .*"labels" is not supported/),
      'HTTP Error 448',
    ])
  })

  it('discards the changes of a stager that ends without a verdict', async () => {
    await harness.addPipeline('pipe', { lazy: async ({ url }) => void (await upload(url, 'half done')) })
    harness.start()
    expect(await stage()).toMatchObject({ state: 'failed', failure: { cause: 'no-verdict' } })
    expect(await harness.data('app')).toBe('app')
  })

  it('stops a stager that keeps running after its verdict, and keeps the verdict', async () => {
    await harness.addPipeline('pipe', {
      stubborn: async ({ url, signal }) => {
        await call(url, 'POST /done')
        await call(
          url,
          'PUT /meta',
          new URLSearchParams({ resource: 'environment', action: 'add', key: 'A', value: '1' }),
          452,
        )
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      },
    })
    harness.start()
    expect(await stage()).toMatchObject({ state: 'succeeded' })
    expect((await harness.packages.get({ namespace: '/', name: 'app' })).environment).toEqual({})
  })

  const limits = { memoryBytes: 1000, cpus: 1, pids: 10, diskBytes: 100, timeoutMs: 50 }
  const hang = ({ signal }: FakeContext) =>
    new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
  it.each([
    ['timeout', hang],
    ['out-of-memory', ({ allocate }: FakeContext) => Promise.resolve().then(() => allocate(1001))],
    ['disk-full', ({ writeFile }: FakeContext) => Promise.resolve().then(() => writeFile('/x', 'x'.repeat(101)))],
    ['pids-limit', ({ fork }: FakeContext) => Promise.resolve().then(() => fork(11))],
    ['no-verdict', ({ exit }: FakeContext) => Promise.resolve().then(() => exit(3))],
  ] as const)('ends with the cause %s', async (cause, stager) => {
    await harness.addPipeline('pipe', { greedy: stager }, { limits })
    harness.start()
    expect(await stage()).toMatchObject({ state: 'failed', failure: { cause } })
  })

  it.each(['done', 'failed', 'relaunch'])(
    'ends with the limit that was hit before the verdict "%s", whatever the stager makes of it',
    async (verdict) => {
      await harness.addPipeline(
        'pipe',
        {
          greedy: async ({ allocateInChild, url, signal }) => {
            allocateInChild(1001)
            await call(url, `POST /${verdict}`, undefined, 452)
            await hang({ signal } as FakeContext)
          },
        },
        { limits: { ...limits, timeoutMs: 60_000 } },
      )
      harness.start()
      const staging = await stage()
      expect(staging).toMatchObject({ state: 'failed', failure: { cause: 'out-of-memory' } })
      expect(staging.launches).toHaveLength(1)
    },
  )

  it('names the stager in the hint', async () => {
    await harness.addPipeline('pipe', { slow: hang }, { limits })
    harness.start()
    const { failure } = await stage()
    expect(failure?.hint).toMatch(/'stagectl stager update job::\/(\S*::)?slow --timeout \d+s'/)
  })

  it('fails without a launch, and explains why, if the dependencies have no solution', async () => {
    await harness.addPipeline('pipe', { any: done }, { dependencies: [{ type: 'os', name: 'plan9' }] })
    harness.start()
    const staging = await stage()
    expect(staging).toMatchObject({ state: 'failed', failure: { cause: 'unresolved' }, launches: [] })
    expect((await harness.log(staging.uuid)).join('\n')).toContain('nothing provides os.plan9')
  })

  it('applies the policy of the package to /stagerfs, and the policy of the stager to its root', async () => {
    await harness.addPackage('busybox', { provides: [{ type: 'os', name: 'linux' }] })
    await harness.addPipeline(
      'pipe',
      { any: done },
      { namespace: '/stagers', dependencies: [{ type: 'os', name: 'linux' }] },
    )
    harness.start()
    await harness.putPolicy('job::/stagers { package.retire "package::/::busybox" }')
    const refused = await stage()
    expect(refused).toMatchObject({ state: 'failed', failure: { cause: 'policy' }, launches: [] })
    expect((await harness.log(refused.uuid)).join('\n')).toContain(
      'package::/::busybox refused, because it is retired by policydoc::/::rules, line 1',
    )
    await harness.putPolicy('job::/apps { package.retire "package::/::busybox" }')
    expect((await stage()).state).toBe('succeeded')
  })
})

it('a stager without an operating system in its root fails with an explanation', async () => {
  await harness.addPackage('bare')
  await harness.addPipeline('pipe', { additive: done })
  const bare = await harness.packages.get({ namespace: '/', name: 'bare' })
  await harness.giveProgram('additive', bare.uuid)
  harness.start()
  expect((await stage()).failure).toMatchObject({
    cause: 'unresolved',
    message: expect.stringContaining('no operating system') as string,
  })
})

describe('a relaunch', () => {
  it('uses the changed dependencies and environment', async () => {
    await harness.addPackage('ruby-2', {
      provides: [{ type: 'runtime', name: 'ruby' }],
      environment: { PATH: '/ruby:$PATH' },
    })
    await harness.addPipeline('pipe', {
      ruby: async ({ url, plan }) => {
        const meta = JSON.parse(await call(url, 'GET /meta')) as { dependencies: unknown[] }
        if (meta.dependencies.length > 0) {
          expect(plan.stagerfs?.map(({ name }) => name)).toEqual(['package::/::ruby-2'])
          expect(plan.environment).toMatchObject({ RAILS_ENV: 'production' })
          expect(plan.environment.PATH).toMatch(/^\/ruby:/)
          await call(url, 'POST /done')
          return
        }
        await addDependency(url, 'runtime', 'ruby')
        await setEnvironment(url, 'RAILS_ENV', 'production')
        await call(url, 'POST /relaunch')
      },
    })
    harness.start()
    const staging = await stage()
    expect(staging.failure).toBeUndefined()
    expect(staging.launches.map(({ state }) => state)).toEqual(['relaunched', 'done'])
  })

  it('is allowed ten times', async () => {
    await harness.addPipeline('pipe', { circular: async ({ url }) => void (await call(url, 'POST /relaunch')) })
    harness.start()
    const staging = await stage()
    expect(staging).toMatchObject({ state: 'failed', failure: { cause: 'relaunch-limit' } })
    expect(staging.launches).toHaveLength(11)
  })
})

it('a launch whose start cannot be recorded is released', async () => {
  const broken = vi.spyOn(SqliteLedger.prototype, 'launchRunning').mockRejectedValueOnce(new Error('disk I/O error'))
  await harness.addPipeline('pipe', { any: done })
  harness.start()
  expect(await stage()).toMatchObject({ state: 'failed', failure: { cause: 'infrastructure' } })
  expect(broken).toHaveBeenCalledOnce()
  expect([...harness.isolation.left]).toEqual([])
})

describe('the queue', () => {
  it('admits in the order of submission, up to the limit', async () => {
    const count = 20
    let started = 0
    let atWork = 0
    let most = 0
    await harness.addPipeline('pipe', {
      sociable: async ({ url }) => {
        started += 1
        most = Math.max(most, ++atWork)
        await until('another one runs beside it', () => atWork > 1 || started === count)
        atWork -= 1
        await call(url, 'POST /done')
      },
    })
    const submitted: string[] = []
    for (let n = 0; n < count; n++) {
      await harness.addPackage(`app-${n}`, { state: 'uploaded' })
      submitted.push((await harness.submit(`app-${n}`, 'pipe')).uuid)
    }
    harness.start()
    const starts: string[] = []
    for (const uuid of submitted) {
      const { state, startedAt } = await harness.ended(uuid)
      expect(state).toBe('succeeded')
      starts.push(startedAt ?? 'never')
    }
    expect(starts).toEqual([...starts].sort())
    expect(most).toBe(2)
  })

  it('rejects a package that is already being staged', async () => {
    await harness.addPipeline('pipe', { any: done })
    await harness.submit('app', 'pipe')
    await expect(harness.submit('app', 'pipe')).rejects.toMatchObject({ code: 'package-busy' })
  })
})

describe('cancelling', () => {
  const hang = ({ signal }: FakeContext) =>
    new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))

  it('ends a running launch, and restores the package', async () => {
    await harness.addPipeline('pipe', { endless: hang })
    harness.start()
    const { uuid } = await harness.submit('app', 'pipe')
    await until('it runs', async () => (await harness.staging(uuid)).launches[0]?.state === 'running')
    await harness.service.cancel(uuid)
    expect(await harness.ended(uuid)).toMatchObject({ state: 'cancelled', launches: [{ state: 'aborted' }] })
    expect((await harness.packages.get({ namespace: '/', name: 'app' })).state).toBe('uploaded')
    expect((await harness.log(uuid)).at(-1)).toBe('Staging was cancelled.')
  })

  it('removes a queued staging from the queue', async () => {
    await harness.addPipeline('pipe', { endless: hang })
    const { uuid } = await harness.submit('app', 'pipe')
    expect(await harness.service.cancel(uuid)).toMatchObject({ state: 'cancelled' })
    harness.start()
    expect((await harness.ended(uuid)).launches).toEqual([])
    await expect(harness.service.cancel(uuid)).rejects.toMatchObject({ code: 'staging-ended' })
  })

  it('ends a staging at once that waits to be continued after a crash', async () => {
    harness.limit = 1
    await harness.addPipeline('pipe', { endless: hang })
    await harness.addPackage('other', { state: 'uploaded' })
    const first = await harness.submit('app', 'pipe')
    const second = await harness.submit('other', 'pipe')
    await harness.crash({ admitted: 2 })
    harness.start()
    await until('the first one continues', async () => (await harness.staging(first.uuid)).launches.length > 0)
    expect(await harness.service.cancel(second.uuid)).toMatchObject({ state: 'cancelled' })
    expect(await harness.log(second.uuid)).toEqual(['Staging was cancelled.'])
    expect((await harness.packages.get({ namespace: '/', name: 'other' })).state).toBe('uploaded')
    await harness.service.cancel(first.uuid)
    await harness.ended(first.uuid)
    expect((await harness.ended(second.uuid)).launches).toEqual([])
  })

  it('does not wait for the Engine, and is not undone by the recovery', async () => {
    await harness.addPipeline('pipe', { endless: hang })
    const { uuid } = await harness.submit('app', 'pipe')
    await harness.crash({ admitted: 1 })
    harness.isolation.down = new Unavailable('engine-down', 'The Docker Engine does not answer.')
    harness.start()
    expect(await harness.service.cancel(uuid)).toMatchObject({ state: 'cancelled' })
    harness.isolation.down = undefined
    await until('the recovery is complete', () => harness.service.ready)
    expect(await harness.ended(uuid)).toMatchObject({ state: 'cancelled', launches: [] })
  })

  it('is carried out by the next start if the daemon ends before it could be', async () => {
    await harness.addPipeline('pipe', { endless: hang })
    const { uuid } = await harness.submit('app', 'pipe')
    await harness.crash({ admitted: 1, cancelled: [uuid] })
    harness.start()
    expect(await harness.ended(uuid)).toMatchObject({ state: 'cancelled', launches: [] })
  })

  it('can be followed by a retry, which is a new staging', async () => {
    let attempts = 0
    await harness.addPipeline('pipe', {
      moody: async ({ url }) => void (await call(url, attempts++ === 0 ? 'POST /failed' : 'POST /done')),
    })
    harness.start()
    const first = await stage()
    const second = await harness.service.retry(first.uuid)
    expect(second.uuid).not.toBe(first.uuid)
    expect((await harness.ended(second.uuid)).state).toBe('succeeded')
    await expect(harness.service.retry(second.uuid)).rejects.toMatchObject({ code: 'staging-not-failed' })
  })
})

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

  it('continue although the ledger could not be read at first', async () => {
    await harness.addPipeline('pipe', { any: done })
    const broken = vi
      .spyOn(SqliteLedger.prototype, 'running')
      .mockRejectedValueOnce(new Unavailable('database-locked', 'Another process has locked the database.'))
    const { uuid } = await harness.submit('app', 'pipe')
    await harness.crash({ admitted: 1 })
    harness.start()
    expect((await harness.ended(uuid)).state).toBe('succeeded')
    expect(broken).toHaveBeenCalledTimes(2)
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
