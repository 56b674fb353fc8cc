import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Unavailable } from '../../../base/errors.js'
import type { FakeContext } from '../../support/fake-isolation.js'
import { call, LAUNCH_BYTES, StagingHarness } from '../../support/staging-harness.js'
import { upload } from './stager-requests.js'

let harness: StagingHarness
beforeEach(async () => {
  harness = await StagingHarness.open()
  await harness.addPackage('app', { state: 'uploaded' })
})
afterEach(() => harness.close())

async function stored(): Promise<string[]> {
  const digests: string[] = []
  for await (const { sha256 } of harness.parts.blobs.list()) digests.push(sha256)
  return digests.sort()
}

const verdict = (name: string) => async (context: FakeContext) => {
  await upload(context.url, `data of ${name} ${randomBytes(8).toString('hex')}`)
  await call(context.url, `POST /${name}`)
}

async function stage(stagers: Record<string, (context: FakeContext) => Promise<void>>) {
  await harness.addPipeline('pipe', stagers)
  const before = await stored()
  harness.start()
  const { uuid } = await harness.submit('app', 'pipe')
  const staging = await harness.ended(uuid)
  await harness.service.stop()
  const after = await stored()
  return {
    staging,
    new: after.filter((one) => !before.includes(one)),
    gone: before.filter((one) => !after.includes(one)),
  }
}

describe('what a stager sends', () => {
  it.each([
    ['uploads', (context: FakeContext, n: number) => upload(context.url, `upload ${n}`)],
    [
      'snapshots',
      async (context: FakeContext, n: number) => {
        context.writeFile('/app/x', `snapshot ${n}`)
        await call(context.url, 'POST /snapshot')
      },
    ],
  ])('is in the store once, however often it is replaced: %s', async (_, send) => {
    const counts: number[] = []
    const result = await stage({
      one: async (context) => {
        const before = (await stored()).length
        for (let n = 0; n < 20; n++) {
          await send(context, n)
          counts.push((await stored()).length - before)
        }
        await call(context.url, 'POST /done')
      },
    })
    expect(result.staging.state).toBe('succeeded')
    expect(new Set(counts)).toEqual(new Set([1]))
    expect(result.new).toEqual([result.staging.work.resource.sha256])
  })

  it.each([
    ['reports failure', verdict('failed'), 'stager-failed'],
    ['ends without a verdict', ({ url }: FakeContext) => upload(url, 'lost').then(() => undefined), 'no-verdict'],
    ['relaunches without end', verdict('relaunch'), 'relaunch-limit'],
  ])('goes with its staging when a stager %s', async (_, last, cause) => {
    const result = await stage({ first: verdict('done'), last })
    expect(result.staging).toMatchObject({ state: 'failed', failure: { cause } })
    expect(result).toMatchObject({ new: [], gone: [] })
  })

  it('goes with its staging when that is cancelled', async () => {
    const result = await stage({
      one: async (context) => {
        await upload(context.url, 'not wanted')
        await harness.service.cancel((await harness.parts.ledger.list({ state: 'running' }))[0]!.uuid)
        await new Promise(() => undefined)
      },
    })
    expect(result.staging.state).toBe('cancelled')
    expect(result).toMatchObject({ new: [], gone: [] })
  })

  it('goes with its launch when that is lost with the Engine', async () => {
    let launches = 0
    const result = await stage({
      one: async ({ url, signal }) => {
        launches += 1
        if (launches === 2) return void (await call(url, 'POST /done'))
        await upload(url, 'of the lost launch')
        harness.isolation.loseEngine(new Unavailable('engine-down', 'The Docker Engine does not answer.'))
        harness.isolation.down = undefined
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
      },
    })
    expect([result.staging.state, launches]).toEqual(['succeeded', 2])
    expect(result).toMatchObject({ new: [], gone: [] })
  })

  it('stays if somebody else has sent the same, before or meanwhile', async () => {
    const { blobs } = harness.parts
    const theirs = await blobs.write(Readable.from([Buffer.from('sent before')]))
    const result = await stage({
      one: async ({ url }) => {
        await upload(url, 'sent before')
        await upload(url, 'sent meanwhile')
        await blobs.write(Readable.from([Buffer.from('sent meanwhile')]))
        await upload(url, 'asked for meanwhile')
        await upload(url, 'asked for meanwhile')
        await call(url, 'POST /failed')
      },
    })
    expect(result.gone).toEqual([])
    const { sha256 } = await blobs.write(Readable.from([Buffer.from('sent meanwhile')]))
    expect(result.new).toEqual([sha256])
    expect(await blobs.has(theirs.sha256)).toBe(true)
  })
})

it('a launch that sends more than it may have in the store ends with a cause of its own', async () => {
  const refused: Promise<unknown>[] = []
  const result = await stage({
    one: async ({ url }) => {
      await upload(url, 'x'.repeat(LAUNCH_BYTES))
      refused.push(upload(url, 'x'.repeat(LAUNCH_BYTES + 1)))
      await expect(refused[0]).rejects.toThrow('it sent more data than its limit of 1 MB in the store')
      await new Promise(() => undefined)
    },
  })
  expect(refused).toHaveLength(1)
  expect(result.staging).toMatchObject({ state: 'failed', failure: { cause: 'data-limit' } })
  expect(result).toMatchObject({ new: [], gone: [] })
})
