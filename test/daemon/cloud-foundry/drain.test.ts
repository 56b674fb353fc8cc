import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { FakeStager } from '../../support/fake-isolation.js'
import { call } from '../../support/staging-harness.js'
import { until } from '../../support/until.js'
import { linesOf, type Answer } from './support/answers.js'
import { Service } from './support/service.js'

const HANGS: FakeStager = ({ signal }) =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve())
  })

const hang = (): void => undefined

const FLAGS = { cloudFoundryMaxActiveTasks: '2' }

// What becomes of requests under way when their time is up, the daemon ends, or NATS does.
describe('requests that are interrupted', () => {
  let service: Service
  beforeAll(async () => {
    service = await Service.open(FLAGS)
  })
  afterAll(() => service.close())
  beforeEach(() => service.reset())

  /** With the time limit of its tasks from now on. */
  async function restart(cloudFoundryMaxStagingDuration = '1m'): Promise<void> {
    await service.daemon.stop()
    service.daemon.flags = { ...service.daemon.flags, cloudFoundryMaxStagingDuration }
    service.daemon.log.length = 0
    await service.daemon.start()
    await service.subscribed()
  }

  it('ends what takes too long, and says so', async () => {
    await restart('1s')
    service.controller.upload = hang
    const uploading = await service.ask()
    expect(uploading.error).toBe('Staging timed out after 1 seconds.')
    service.daemon.isolation.stagers.set('./stage', HANGS)
    const staging = await service.ask()
    expect([staging.error, linesOf(staging).at(-1)]).toEqual(Array(2).fill('Staging timed out after 1 seconds.'))
    await until(
      'the staging is cancelled',
      async () => !/running|queued/.test(await service.daemon.made('staging', 'list')),
    )
    service.controller.download = hang
    const fetching = await service.ask()
    expect([fetching.error, linesOf(fetching)]).toEqual([
      'Staging timed out after 1 seconds.',
      ['Setting up temporary directories', 'Downloading application', 'Staging timed out after 1 seconds.'],
    ])
    expect(await service.daemon.made('staging', 'list')).not.toMatch(/running|queued/)
    await restart()
  })

  it('counts the time from the first begin, whatever is restarted meanwhile', async () => {
    await restart('5s')
    let launches = 0
    service.daemon.isolation.stagers.set('./stage', async (context) => {
      launches += 1
      await HANGS(context)
    })
    const began = performance.now()
    const asked = service.ask({ app_id: 'in-time' })
    await until('it is staged', () => launches === 1)
    await delay(2500)
    await restart('5s')
    const answer = await asked
    expect(launches).toBe(2)
    const seconds = (performance.now() - began) / 1000
    expect([answer.error, linesOf(answer).at(-1)]).toEqual(Array(2).fill('Staging timed out after 5 seconds.'))
    // Counted from the restart, it would have been 7.5 at least.
    expect(seconds).toBeGreaterThan(4.5)
    expect(seconds).toBeLessThan(7)
    await restart()
  })

  it('answers what was recorded, with the same task, after a restart in the middle of a staging', async () => {
    let launches = 0
    service.daemon.isolation.stagers.set('./stage', async (context) => {
      launches += 1
      if (launches === 1) await HANGS(context)
      else await call(context.url, 'POST /done')
    })
    const asked = service.ask({ app_id: 'interrupted' })
    await until('it is staged', () => launches === 1)
    service.daemon.log.length = 0
    await service.daemon.restart()
    const answer = await asked
    expect([answer.error, launches, service.controller.uploads.length]).toEqual([undefined, 2, 1])
    expect(linesOf(answer).filter((line) => line === 'Downloading application')).toHaveLength(1)
    await service.subscribed()
  })

  it('waits while the service is turned off, says so, and is answered when it is back', async () => {
    let launches = 0
    service.daemon.isolation.stagers.set('./stage', async (context) => {
      launches += 1
      if (launches === 1) await HANGS(context)
      else await call(context.url, 'POST /done')
    })
    const asked = service.ask({ app_id: 'turned-off' })
    await until('it is staged', () => launches === 1)
    const { flags } = service.daemon
    await service.daemon.stop()
    service.daemon.flags = { ...flags, cloudFoundryNats: '' }
    service.daemon.log.length = 0
    await service.daemon.start()
    expect(service.daemon.said('wait until cloud-foundry-nats is set again')).toBe(true)
    await service.daemon.stop()
    service.daemon.flags = flags
    await service.daemon.start()
    expect((await asked).error).toBeUndefined()
    await service.subscribed()
  })

  it('answers what was done while NATS was away, once it is back', async () => {
    let open: () => void = () => undefined
    const gate = new Promise<void>((resolve) => (open = resolve))
    service.daemon.isolation.stagers.set('./stage', async ({ url }) => {
      await gate
      await call(url, 'POST /done')
    })
    const answers: Answer[] = []
    service.client.subscribe('my.inbox', { callback: (_, message) => void answers.push(message.json()) })
    service.client.publish('staging', JSON.stringify(service.requestOf({ app_id: 'away' })), { reply: 'my.inbox' })
    await until('it is staged', async () => (await service.daemon.made('staging', 'list')).includes('away'))
    await service.nats.stop()
    open()
    await until('the droplet is sent', () => service.controller.uploads.length === 1)
    await service.nats.start()
    await until('the answer arrives', () => answers.length > 0)
    expect(answers.map(({ error }) => error)).toEqual([undefined])
  }, 40_000)
})
