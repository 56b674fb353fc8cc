import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Limits } from '../../../isolation/launch-plan.js'
import { call, StagingHarness } from '../../support/staging-harness.js'
import { until } from '../../support/until.js'
import { addDependency, done, setEnvironment, upload } from './stager-requests.js'

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

  it('has the limits that were asked for where they are lower, and so has its retry, whatever becomes of the stager', async () => {
    const seen: Limits[] = []
    await harness.addPipeline('pipe', {
      build: async ({ url, plan }) => {
        seen.push(plan.limits)
        await call(url, 'POST /failed')
      },
    })
    harness.start()
    const app = { namespace: '/', name: 'app' }
    const build = { namespace: '/', name: 'build' }
    const own = (await harness.parts.stagers.get(build)).limits
    const limits = { memoryBytes: own.memoryBytes / 2, diskBytes: own.diskBytes * 2 }
    const first = await harness.service.submit(app, { namespace: '/', name: 'pipe' }, { limits })
    await harness.ended(first.uuid)
    await harness.parts.stagers.update(build, {
      limits: { ...own, memoryBytes: own.memoryBytes * 2, diskBytes: own.diskBytes * 3 },
    })
    await harness.ended((await harness.service.retry(first.uuid)).uuid)
    expect(seen).toEqual([
      { ...own, memoryBytes: limits.memoryBytes },
      { ...own, ...limits },
    ])
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
