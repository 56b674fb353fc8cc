import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Unavailable } from '../../../base/errors.js'
import { call, StagingHarness } from '../../support/staging-harness.js'
import type { FakeContext } from '../../support/fake-isolation.js'
import { until } from '../../support/until.js'

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
  })
})
