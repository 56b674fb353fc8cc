import { connect, type NatsConnection } from '@nats-io/transport-node'
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { furnish } from '../../docs/support/furnish.js'
import { Latencies } from '../../hostile/support/latencies.js'
import { Controller } from '../../support/controller.js'
import { DaemonInProcess } from '../../support/daemon-in-process.js'
import type { FakeStager } from '../../support/fake-isolation.js'
import { NatsServer } from '../../support/nats-server.js'
import { call } from '../../support/staging-harness.js'
import { until } from '../../support/until.js'
import { zipOf } from '../../support/zip-builder.js'
import { linesOf, requestFor, type Answer } from './support/answers.js'

const TASKS = 4

let nats: NatsServer
let daemon: DaemonInProcess
let controller: Controller
let client: NatsConnection

beforeAll(async () => {
  nats = await NatsServer.open()
  controller = await Controller.open(await zipOf([['server.js', 'serve()']]))
  daemon = await DaemonInProcess.start({
    cloudFoundryNats: `nats://127.0.0.1:${nats.port}`,
    cloudFoundryNetworks: '127.0.0.0/8',
    cloudFoundryMaxActiveTasks: String(TASKS),
    concurrency: '20',
  })
  await furnish(daemon)
  await until('it is subscribed', () => daemon.said('Subscribed to staging'))
  client = await connect({ servers: [`127.0.0.1:${nats.port}`] })
})
afterAll(async () => {
  await client.close()
  await daemon.close()
  await controller.close()
  await nats.stop()
})

const ask = async (appId: string): Promise<Answer> =>
  (await client.request('staging', JSON.stringify(requestFor(appId, controller)), { timeout: 60_000 })).json()

/** The document, or the text, that answers a request over the control socket. */
async function asked(method: 'GET' | 'POST', url: string, document?: object): Promise<unknown> {
  const agent = new Agent({ connect: { socketPath: daemon.socket } })
  try {
    const sent = document && { body: JSON.stringify(document), headers: { 'content-type': 'application/json' } }
    const { body } = await request(`http://stagerd${url}`, { method, dispatcher: agent, ...sent })
    const text = await body.text()
    return text.startsWith('{') ? (JSON.parse(text) as unknown) : text
  } finally {
    await agent.close()
  }
}

it('ten requests at once: four are under way, a neighbour on the Stager API keeps its pace, and all are answered', async () => {
  // A launch of somebody else, who asks the coordinator again and again.
  const [idle, meanwhile] = [new Latencies(), new Latencies()]
  let latencies = idle
  let goesOn = true
  const neighbour: FakeStager = async ({ url }) => {
    while (goesOn) {
      await latencies.of(() => call(url, 'GET /meta'))
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    await call(url, 'POST /done')
  }
  daemon.isolation.stagers.set('./stage', neighbour)
  await daemon.made('package', 'from-file', 'any.tar.gz', 'neighbour')
  const wish = { package: 'package::/::neighbour', pipeline: 'stagpipe::/::nodejs' }
  const { uuid } = (await asked('POST', '/v1/stagings', wish)) as { uuid: string }
  await until('the neighbour has asked 200 times', () => idle.count >= 200)

  let running = 0
  let most = 0
  let open: () => void = () => undefined
  const gate = new Promise<void>((resolve) => (open = resolve))
  daemon.isolation.stagers.set('./stage', async ({ url }) => {
    most = Math.max(most, (running += 1))
    await gate
    running -= 1
    await call(url, 'POST /done')
  })
  latencies = meanwhile
  const asking = Array.from({ length: 10 }, (_, index) => ask(`at-once-${index}`))
  await until('four are staged', () => running === TASKS)
  await delay(500)
  // A request has a staging before it is fetched, also one that waits for its turn.
  const list = (await daemon.made('staging', 'list', '--limit', '100')).split('\n')
  const states = list.flatMap((line) => (line.includes('::at-once-') ? (/running|queued/.exec(line) ?? []) : []))
  expect(states.sort()).toEqual([...Array<string>(6).fill('queued'), ...Array<string>(4).fill('running')])
  expect(await daemon.made('node', 'status')).toContain('Requests of Cloud Foundry: 4 under way, 6 waiting\n')
  open()
  const answers = await Promise.all(asking)
  goesOn = false
  await until('the neighbour has ended', async () => (await daemon.get(`/v1/stagings/${uuid}`)).state === 'succeeded')

  expect(answers.map((answer) => answer.error ?? linesOf(answer).at(-1))).toEqual(Array(10).fill('Done!'))
  expect(new Set(answers.map(({ task_id: task }) => task)).size).toBe(10)
  expect([most, controller.uploads.length]).toEqual([TASKS, 10])
  console.log(`neighbour on the Stager API: idle ${idle.text}; with ten requests ${meanwhile.text}`)
  expect(meanwhile.count).toBeGreaterThan(50)
  expect(meanwhile.median).toBeLessThan(10 * idle.median)
})

it('a hundred requests: how long each could have been lost is measured and printed', async () => {
  daemon.log.length = 0
  // None of these is staged: only their receipt is measured.
  const lacking = JSON.stringify({ app_id: 'lacking' })
  const errors = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const message = await client.request('staging', lacking, { timeout: 60_000 })
      return message.json<Answer>().error
    }),
  )
  expect(new Set(errors).size).toBe(1)
  const windows = daemon.log
    .filter((entry) => entry.includes('a staging request is recorded'))
    .map((entry) => (JSON.parse(entry) as { unrecordedMs: number }).unrecordedMs)
    .sort((a, b) => a - b)
  expect(windows).toHaveLength(100)
  console.log(`not recorded yet: median ${windows[49]} ms, worst ${windows[99]} ms of 100 requests that arrive at once`)
  expect(windows[49]).toBeLessThan(2000)
  expect(await asked('GET', '/metrics')).toMatch(/^stagerd_cloud_foundry_unrecorded_seconds_count 110$/m)
})
