import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { SqlNodeLedger } from '../../../daemon/store/sql/node-ledger.js'
import { call, StagingHarness } from '../../support/staging-harness.js'
import type { FakeContext } from '../../support/fake-isolation.js'
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

describe('a staging that fails', () => {
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

  it('discards the changes of a stager that ends without a verdict', async () => {
    await harness.addPipeline('pipe', { lazy: async ({ url }) => void (await upload(url, 'half done')) })
    harness.start()
    expect(await stage()).toMatchObject({ state: 'failed', failure: { cause: 'no-verdict' } })
    expect(await harness.data('app')).toBe('app')
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

it('a launch whose start cannot be recorded is released', async () => {
  const broken = vi.spyOn(SqlNodeLedger.prototype, 'launchRunning').mockRejectedValueOnce(new Error('disk I/O error'))
  await harness.addPipeline('pipe', { any: done })
  harness.start()
  expect(await stage()).toMatchObject({ state: 'failed', failure: { cause: 'infrastructure' } })
  expect(broken).toHaveBeenCalledOnce()
  expect([...harness.isolation.left]).toEqual([])
})
