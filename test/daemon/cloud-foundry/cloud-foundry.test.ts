import { connect, type NatsConnection } from '@nats-io/transport-node'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { readTar } from '../../cli/support/read-tar.js'
import { CONTENT, furnish } from '../../docs/support/furnish.js'
import { Controller } from '../../support/controller.js'
import { DaemonInProcess } from '../../support/daemon-in-process.js'
import type { FakeStager } from '../../support/fake-isolation.js'
import { freePort } from '../../support/free-port.js'
import { NatsServer } from '../../support/nats-server.js'
import { call } from '../../support/staging-harness.js'
import { tarOf } from '../../support/tar-builder.js'
import { until } from '../../support/until.js'
import { zipOf } from '../../support/zip-builder.js'
import { linesOf, requestFor, type Answer } from './support/answers.js'

const HANGS: FakeStager = ({ signal }) =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve())
  })

const TIMES = /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] /gm

// What a controller sends and gets, on the wire: a daemon in this process, and a real NATS server.
describe('the older staging service', () => {
  let nats: NatsServer
  let daemon: DaemonInProcess
  let controller: Controller
  let client: NatsConnection

  beforeAll(async () => {
    nats = await NatsServer.open()
    daemon = await DaemonInProcess.start({
      cloudFoundryNats: `nats://127.0.0.1:${nats.port}`,
      cloudFoundryNetworks: '127.0.0.0/8',
      cloudFoundryTasks: '2',
      packageQuota: '32MB',
      concurrency: '8',
    })
    await furnish(daemon)
    await until('it is subscribed', () => daemon.said('Subscribed to staging'))
    client = await connect({ servers: [`127.0.0.1:${nats.port}`] })
  })
  afterAll(async () => {
    await client.close()
    await daemon.close()
    await nats.stop()
  })
  beforeEach(async () => {
    controller = await Controller.open(
      await zipOf([
        ['server.js', 'serve()'],
        ['.hidden', 'h'],
      ]),
    )
    daemon.isolation.stagers.set('./stage', CONTENT)
  })
  afterEach(() => controller.close())

  let count = 0
  const requestOf = (more: object = {}, properties: object = {}) =>
    requestFor(`app-${(count += 1)}`, controller, more, properties)

  const send = async (data: string, timeout = 20_000): Promise<Answer> =>
    (await client.request('staging', data, { timeout })).json()
  const ask = (more?: object, properties?: object) => send(JSON.stringify(requestOf(more, properties)))

  it('fetches an application, stages it, sends its droplet, and answers with the log', async () => {
    daemon.isolation.stagers.set('./stage', async ({ url, print }) => {
      await print('Auto-reconfiguration disabled')
      await call(url, 'POST /done')
    })
    const answer = await ask({ app_id: 'my-node-app' })
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
    const [upload] = controller.uploads
    expect(upload?.body.toString('latin1')).toMatch(
      /^--\S+\r\nContent-Disposition: form-data; name="upload\[droplet\]"/,
    )
    expect(upload?.headers['content-length']).toBe(String(upload?.body.length))
    const entries = await readTar(Readable.from([Controller.dropletOf(upload!)]))
    expect(entries.map(({ header }) => header.name)).toEqual([
      ...['logs', 'tmp', 'startup', 'stop', 'app', 'app/server.js', 'app/.hidden'],
    ])
    const startup = entries.find(({ header }) => header.name === 'startup')?.text
    expect(startup).toContain('export GREETING="${GREETING:-hello there}"')
    expect(startup).toContain(`'%VCAP_LOCAL_RUNTIME% server.js'`)
    const stagings = await daemon.made('staging', 'list')
    expect(stagings).toContain('/cloud-foundry::my-node-app')
  })

  it('takes a tar, too, follows redirects, and sends credentials only where they belong', async () => {
    controller.download = (request, response) => {
      if (request.url === '/download/x') response.writeHead(302, { location: '/there' }).end()
      else if (request.url === '/there')
        response.writeHead(307, { location: `http://localhost:${controller.port}/elsewhere` }).end()
      else response.end(tarOf({ name: 'server.js', data: 'x' }))
    }
    const uri = (path: string) => `http://user:s3%20cret@127.0.0.1:${controller.port}/${path}/x`
    const answer = await ask({ download_uri: uri('download'), upload_uri: uri('upload') })
    expect(answer.error).toBeUndefined()
    const basic = `Basic ${Buffer.from('user:s3 cret').toString('base64')}`
    expect(controller.downloads.map(({ authorization }) => authorization)).toEqual([basic, basic, undefined])
    expect(controller.uploads[0]?.headers.authorization).toBe(basic)
    expect(daemon.said('cret')).toBe(false)
  })

  it('does not answer what is no JSON, and counts it', async () => {
    for (const data of ['{', '\xff', '']) await expect(send(data, 300)).rejects.toThrow()
    const agent = new Agent({ connect: { socketPath: daemon.socket } })
    const { body } = await request('http://stagerd/metrics', { dispatcher: agent })
    expect(await body.text()).toContain('stagerd_cloud_foundry_requests_total{result="malformed"} 3')
    await agent.close()
  })

  it.each([
    ['{}', 'The request lacks'],
    ['[]', 'The request must be an object'],
    [JSON.stringify({ app_id: 'x', properties: { framework_info: {} }, download_uri: 'x', upload_uri: 'x' }), '"name"'],
    [
      JSON.stringify({
        app_id: 'x',
        properties: { framework_info: { name: 'node' }, environment: ['no variable'] },
        download_uri: 'x',
        upload_uri: 'x',
      }),
      '"no variable" is not a variable',
    ],
  ])('answers %s with what is wrong', async (data, error) => {
    expect(await send(data)).toEqual({
      task_id: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      task_log: '',
      error: expect.stringContaining(error) as string,
    })
  })

  const hang = (): void => undefined
  it.each<[string, string, object, Partial<Pick<Controller, 'download' | 'upload'>>]>([
    [
      'the application is not there',
      'Failed downloading app',
      {},
      { download: (_, to) => void to.writeHead(404).end() },
    ],
    [
      'a redirect has no end',
      'Failed downloading app',
      {},
      { download: (_, to) => void to.writeHead(302, { location: '/' }).end() },
    ],
    [
      'the download breaks off',
      'Failed downloading app',
      {},
      {
        download: (_, to) => {
          to.writeHead(200, { 'content-length': 100 }).write('PK\x03\x04')
          setTimeout(() => to.destroy(), 50)
        },
      },
    ],
    ['an address is not allowed', 'Failed downloading app', { download_uri: 'http://10.1.2.3/' }, {}],
    [
      'a redirect leads to a metadata service',
      'Failed downloading app',
      {},
      { download: (_, to) => void to.writeHead(302, { location: 'http://169.254.169.254/' }).end() },
    ],
    ['a URI is none', 'Failed downloading app', { download_uri: 'nonsense' }, {}],
    ['the zip is cut off', 'Failed unpacking app', {}, { download: (_, to) => void to.end('PK\x03\x04abc') }],
    ['it is no archive', 'Failed unpacking app', {}, { download: (_, to) => void to.end('hello') }],
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
    Object.assign(controller, endpoints)
    const answer = await ask(more)
    expect(answer.error).toContain(error)
    expect(linesOf(answer).at(-1)).toContain(error)
    expect(controller.uploads).toEqual([])
  })

  it('sends a droplet again only where no connection was made', async () => {
    let attempts = 0
    controller.upload = (from) => {
      attempts += 1
      from.socket.destroy()
    }
    expect((await ask()).error).toBe('Failed uploading droplet')
    expect(attempts).toBe(1)

    const port = await freePort()
    const asked = ask({ upload_uri: `http://127.0.0.1:${port}/` })
    await until('its staging has ended', async () => {
      const list = await daemon.made('staging', 'list', '--limit', '1')
      return list.includes('succeeded')
    })
    await delay(300)
    const later = await Controller.open(Buffer.alloc(0), port)
    onTestFinished(() => later.close())
    expect((await asked).error).toBeUndefined()
    expect(later.uploads).toHaveLength(1)
  })

  it('refuses a zip that climbs out', async () => {
    await controller.close()
    const zip = await zipOf([['aa/evil.js', 'x']])
    controller = await Controller.open(
      Buffer.from(zip.toString('latin1').replaceAll('aa/evil.js', '../evil.js'), 'latin1'),
    )
    const answer = await ask()
    expect([answer.error, answer.task_log]).toEqual([
      'Failed unpacking app',
      expect.stringContaining('".." could lead out'),
    ])
  })

  it('says what the stager has said when it has failed', async () => {
    const failing: FakeStager = async ({ url, print }) => {
      await print('no such gem')
      await call(url, 'POST /failed')
    }
    daemon.isolation.stagers.set('./stage', failing)
    const answer = await ask()
    expect(answer.error).toMatch(/^Staging plugin failed: /)
    expect(linesOf(answer)).toContain('no such gem')
  })

  it('has two under way at once, as the settings say, and does one application after the other', async () => {
    let running = 0
    let most = 0
    daemon.isolation.stagers.set('./stage', async ({ url }) => {
      most = Math.max(most, (running += 1))
      // Two meet here; a third would be counted.
      await until('there are two', () => most >= 2)
      running -= 1
      await call(url, 'POST /done')
    })
    const answers = await Promise.all(Array.from({ length: 6 }, (_, index) => ask({ app_id: `parallel-${index % 3}` })))
    expect(answers.map(({ error }) => error)).toEqual(Array(6).fill(undefined))
    expect(new Set(answers.map(({ task_id: id }) => id)).size).toBe(6)
    expect([most, controller.uploads.length]).toEqual([2, 6])
  })

  /** With the time limit of its tasks from now on. */
  async function restart(cloudFoundryTimeout = '1m'): Promise<void> {
    await daemon.stop()
    daemon.flags = { ...daemon.flags, cloudFoundryTimeout }
    daemon.log.length = 0
    await daemon.start()
    await until('it is subscribed', () => daemon.said('Subscribed to staging'))
  }

  it('ends what takes too long, and says so', async () => {
    await restart('1s')
    controller.upload = hang
    const uploading = await ask()
    expect(uploading.error).toBe('Staging timed out after 1 seconds.')
    daemon.isolation.stagers.set('./stage', HANGS)
    const staging = await ask()
    expect([staging.error, linesOf(staging).at(-1)]).toEqual(Array(2).fill('Staging timed out after 1 seconds.'))
    await until('the staging is cancelled', async () => !/running|queued/.test(await daemon.made('staging', 'list')))
    controller.download = hang
    const fetching = await ask()
    expect([fetching.error, linesOf(fetching)]).toEqual([
      'Staging timed out after 1 seconds.',
      ['Setting up temporary directories', 'Downloading application', 'Staging timed out after 1 seconds.'],
    ])
    expect(await daemon.made('staging', 'list')).not.toMatch(/running|queued/)
    await restart()
  })

  it('counts the time from the first begin, whatever is restarted meanwhile', async () => {
    await restart('5s')
    let launches = 0
    daemon.isolation.stagers.set('./stage', async (context) => {
      launches += 1
      await HANGS(context)
    })
    const began = performance.now()
    const asked = ask({ app_id: 'in-time' })
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

  it('is a staging from its begin, with the number of its task', async () => {
    controller.download = hang
    const asked = ask({ app_id: 'seen' })
    await until('it is fetched', () => controller.downloads.length === 1)
    const [line = ''] = (await daemon.made('staging', 'list')).split('\n').filter((one) => one.includes('::seen'))
    expect(line).toMatch(/queued/)
    const uuid = /[0-9a-f-]{36}/.exec(
      await daemon.made('staging', 'list', '--json', '--package', '/cloud-foundry::seen'),
    )?.[0]
    await daemon.made('staging', 'cancel', uuid ?? '')
    const answer = await asked
    expect(answer).toMatchObject({
      task_id: uuid?.replaceAll('-', ''),
      error: 'Staging plugin failed: it was cancelled.',
    })
  })

  it('is a failed staging with a cause and a log when its application cannot be fetched, and is not retried', async () => {
    controller.download = (_, to) => void to.writeHead(404).end()
    const { task_id: task } = await ask({ app_id: 'not-there' })
    const uuid = task.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
    expect(await daemon.get(`/v1/stagings/${uuid}`)).toMatchObject({
      state: 'failed',
      failure: { cause: 'fetch-failed' },
      launches: [],
    })
    const { out } = await daemon.stagectl(['staging', 'logs', uuid])
    expect(out).toMatch(/The server of the application answered 404\.\n.*Failed downloading app\n/)
    expect(out).toContain('Cause: fetch-failed')
    expect((await daemon.stagectl(['staging', 'retry', uuid])).err).toContain('before its data had been fetched')
    expect(await daemon.get('/v1/packages/package::%2Fcloud-foundry::not-there')).toMatchObject({ state: 'uploaded' })
  })

  it('stages each request with its own environment, and with nothing of the request before', async () => {
    const startupOf = async (properties: object) => {
      const { error } = await ask({ app_id: 'changing' }, properties)
      expect(error).toBeUndefined()
      const entries = await readTar(Readable.from([Controller.dropletOf(controller.uploads.at(-1)!)]))
      return entries.find(({ header }) => header.name === 'startup')?.text
    }
    expect(await startupOf({ environment: ['ONE=1', 'TWO=2'] })).toMatch(/ONE[^]*TWO/)
    const later = await startupOf({ environment: ['TWO=3'], meta: { command: 'other' } })
    expect(later).toContain('export TWO="${TWO:-3}"')
    expect(later).not.toMatch(/ONE|server\.js/)
  })

  it.each([
    ['has a length', { 'content-length': String(10 * 2 ** 30) }],
    ['has no length', {}],
  ])('ends a download of 10 GB that %s at the quota, before it is there', async (_what, headers) => {
    let sent = 0
    const zeros = Buffer.alloc(1024 * 1024)
    controller.download = (_, to) => {
      to.writeHead(200, headers)
      const body = Readable.from(
        (function* () {
          for (; sent < 10 * 2 ** 30; sent += zeros.length) yield zeros
        })(),
      )
      body.on('error', () => undefined)
      to.on('close', () => body.destroy())
      body.pipe(to)
    }
    const before = process.memoryUsage().rss
    const answer = await ask()
    const grown = process.memoryUsage().rss - before
    console.log(`of 10 GB, ${sent / 2 ** 20} MB were sent; the process has grown by ${Math.round(grown / 2 ** 20)} MB`)
    expect([answer.error, linesOf(answer).at(-2)]).toEqual([
      'Failed downloading app',
      'The application has more than the 33554432 bytes that are allowed.',
    ])
    expect(sent).toBeLessThan(64 * 2 ** 20)
    expect(grown).toBeLessThan(256 * 2 ** 20)
    expect(await readdir(path.join(daemon.stateDirectory, 'imports'))).toEqual([])
  })

  it('ends a zip that is small and becomes large at the quota', async () => {
    const bomb = await zipOf([['zeros', Buffer.alloc(64 * 2 ** 20)]], true)
    expect(bomb.length).toBeLessThan(2 ** 20)
    controller.download = (_, to) => void to.end(bomb)
    const answer = await ask()
    expect(answer.error).toBe('Failed unpacking app')
    expect(linesOf(answer).at(-2)).toMatch(/33554432 bytes/)
    expect(await readdir(path.join(daemon.stateDirectory, 'blobs/new'))).toEqual([])
  })

  it('answers what was recorded, with the same task, after a restart in the middle of a staging', async () => {
    let launches = 0
    daemon.isolation.stagers.set('./stage', async (context) => {
      launches += 1
      if (launches === 1) await HANGS(context)
      else await call(context.url, 'POST /done')
    })
    const asked = ask({ app_id: 'interrupted' })
    await until('it is staged', () => launches === 1)
    daemon.log.length = 0
    await daemon.restart()
    const answer = await asked
    expect([answer.error, launches, controller.uploads.length]).toEqual([undefined, 2, 1])
    expect(linesOf(answer).filter((line) => line === 'Downloading application')).toHaveLength(1)
    await until('it is subscribed', () => daemon.said('Subscribed to staging'))
  })

  it('answers what was done while NATS was away, once it is back', async () => {
    let open: () => void = () => undefined
    const gate = new Promise<void>((resolve) => (open = resolve))
    daemon.isolation.stagers.set('./stage', async ({ url }) => {
      await gate
      await call(url, 'POST /done')
    })
    const answers: Answer[] = []
    client.subscribe('my.inbox', { callback: (_, message) => void answers.push(message.json()) })
    client.publish('staging', JSON.stringify(requestOf({ app_id: 'away' })), { reply: 'my.inbox' })
    await until('it is staged', async () => (await daemon.made('staging', 'list')).includes('away'))
    await nats.stop()
    open()
    await until('the droplet is sent', () => controller.uploads.length === 1)
    await nats.start()
    await until('the answer arrives', () => answers.length > 0)
    expect(answers.map(({ error }) => error)).toEqual([undefined])
  }, 40_000)
})
