import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { readTar } from '../../cli/support/read-tar.js'
import { Controller } from '../../support/controller.js'
import type { FakeStager } from '../../support/fake-isolation.js'
import { freePort } from '../../support/free-port.js'
import { call } from '../../support/staging-harness.js'
import { until } from '../../support/until.js'
import { linesOf } from './support/answers.js'
import { Service } from './support/service.js'

const TIMES = /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] /gm

const FLAGS = { cloudFoundryMaxActiveTasks: '2', concurrency: '8' }

// What a controller gets, on the wire: droplets and answers.
describe('droplets and answers', () => {
  let service: Service
  beforeAll(async () => {
    service = await Service.open(FLAGS)
  })
  afterAll(() => service.close())
  beforeEach(() => service.reset())

  it('fetches an application, stages it, sends its droplet, and answers with the log', async () => {
    service.daemon.isolation.stagers.set('./stage', async ({ url, print }) => {
      await print('Auto-reconfiguration disabled')
      await call(url, 'POST /done')
    })
    const answer = await service.ask({ app_id: 'my-node-app' })
    expect(Object.keys(answer)).toEqual(['task_id', 'task_log'])
    expect(answer.task_log.match(TIMES)).toHaveLength(8)
    expect(linesOf(answer)).toEqual([
      'Setting up temporary directories',
      'Downloading application',
      'Unpacking application',
      'Staging application',
      'Auto-reconfiguration disabled',
      'Creating droplet',
      'Uploading droplet',
      'Done!',
    ])
    const [upload] = service.controller.uploads
    expect(upload?.body.toString('latin1')).toMatch(
      /^--\S+\r\nContent-Disposition: form-data; name="upload\[droplet\]"/,
    )
    expect(upload?.headers['content-length']).toBe(String(upload?.body.length))
    const entries = await readTar(Readable.from([Controller.dropletOf(upload!)]))
    expect(entries.map(({ header }) => header.name)).toEqual([
      ...['logs', 'logs/staging.log', 'tmp', 'startup', 'stop', 'app', 'app/server.js', 'app/.hidden'],
    ])
    const textOf = (name: string) => entries.find(({ header }) => header.name === name)?.text
    expect(textOf('logs/staging.log')).toBe('Auto-reconfiguration disabled\n')
    const startup = textOf('startup')
    expect(startup).toContain('export GREETING="${GREETING:-hello there}"')
    expect(startup).toContain(`'%VCAP_LOCAL_RUNTIME% server.js'`)
    const stagings = await service.daemon.made('staging', 'list')
    expect(stagings).toContain('/cloud-foundry::my-node-app')
  })

  it.each<[string, string, object, Partial<Pick<Controller, 'download' | 'upload'>>]>([
    [
      'the framework is unknown',
      'Staging plugin failed: The framework "cobol" is not one of',
      { properties: { framework_info: { name: 'cobol' } } },
      {},
    ],
    [
      'nothing can be started',
      'Failed creating droplet',
      { app_id: 'without-command', properties: { framework_info: { name: 'node' } } },
      {},
    ],
    ['the droplet is refused', 'Failed uploading droplet', {}, { upload: (_, to) => void to.writeHead(500).end() }],
    ['the other side closes early', 'Failed uploading droplet', {}, { upload: (from) => void from.socket.destroy() }],
  ])('says which step has failed: %s', async (_what, error, more, endpoints) => {
    Object.assign(service.controller, endpoints)
    const answer = await service.ask(more)
    expect(answer.error).toContain(error)
    expect(linesOf(answer).at(-1)).toContain(error)
    expect(service.controller.uploads).toEqual([])
  })

  it('sends a droplet again only where no connection was made', async () => {
    let attempts = 0
    service.controller.upload = (from) => {
      attempts += 1
      from.socket.destroy()
    }
    expect((await service.ask()).error).toBe('Failed uploading droplet')
    expect(attempts).toBe(1)

    const port = await freePort()
    const asked = service.ask({ upload_uri: `http://127.0.0.1:${port}/` })
    await until('its staging has ended', async () => {
      const list = await service.daemon.made('staging', 'list', '--limit', '1')
      return list.includes('succeeded')
    })
    await delay(300)
    const later = await Controller.open(Buffer.alloc(0), port)
    onTestFinished(() => later.close())
    expect((await asked).error).toBeUndefined()
    expect(later.uploads).toHaveLength(1)
  })

  it('says what the stager has said when it has failed', async () => {
    const failing: FakeStager = async ({ url, print }) => {
      await print('no such gem')
      await call(url, 'POST /failed')
    }
    service.daemon.isolation.stagers.set('./stage', failing)
    const answer = await service.ask()
    expect(answer.error).toMatch(/^Staging plugin failed: /)
    expect(linesOf(answer)).toContain('no such gem')
  })

  it('has two under way at once, as the settings say, and does one application after the other', async () => {
    let running = 0
    let most = 0
    service.daemon.isolation.stagers.set('./stage', async ({ url }) => {
      most = Math.max(most, (running += 1))
      // Two meet here; a third would be counted.
      await until('there are two', () => most >= 2)
      running -= 1
      await call(url, 'POST /done')
    })
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, index) => service.ask({ app_id: `parallel-${index % 3}` })),
    )
    expect(answers.map(({ error }) => error)).toEqual(Array(6).fill(undefined))
    expect(new Set(answers.map(({ task_id: id }) => id)).size).toBe(6)
    expect([most, service.controller.uploads.length]).toEqual([2, 6])
  })

  it('is a staging from its begin, with the number of its task', async () => {
    service.controller.download = () => undefined
    const asked = service.ask({ app_id: 'seen' })
    await until('it is fetched', () => service.controller.downloads.length === 1)
    const [line = ''] = (await service.daemon.made('staging', 'list'))
      .split('\n')
      .filter((one) => one.includes('::seen'))
    expect(line).toMatch(/queued/)
    const uuid = /[0-9a-f-]{36}/.exec(
      await service.daemon.made('staging', 'list', '--json', '--package', '/cloud-foundry::seen'),
    )?.[0]
    await service.daemon.made('staging', 'cancel', uuid ?? '')
    const answer = await asked
    expect(answer).toMatchObject({
      task_id: uuid?.replaceAll('-', ''),
      error: 'Staging plugin failed: it was cancelled.',
    })
  })

  it('stages each request with its own environment, and with nothing of the request before', async () => {
    const startupOf = async (properties: object) => {
      const { error } = await service.ask({ app_id: 'changing' }, properties)
      expect(error).toBeUndefined()
      const entries = await readTar(Readable.from([Controller.dropletOf(service.controller.uploads.at(-1)!)]))
      return entries.find(({ header }) => header.name === 'startup')?.text
    }
    expect(await startupOf({ environment: ['ONE=1', 'TWO=2'] })).toMatch(/ONE[^]*TWO/)
    const later = await startupOf({ environment: ['TWO=3'], meta: { command: 'other' } })
    expect(later).toContain('export TWO="${TWO:-3}"')
    expect(later).not.toMatch(/ONE|server\.js/)
  })
})
