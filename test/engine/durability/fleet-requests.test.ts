import { connect, type NatsConnection } from '@nats-io/transport-node'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Requester } from '../../daemon/cloud-foundry/support/answers.js'
import { PostgresServer } from '../../daemon/store/postgres-server.js'
import { figures } from '../../hostile/support/promises.js'
import { Controller } from '../../support/controller.js'
import { KilledDaemon } from '../../support/durability/killed-daemon.js'
import { StagingNode, type RecordedTask } from '../../support/durability/staging-node.js'
import { NatsServer } from '../../support/nats-server.js'
import { SwiftServer } from '../../support/s3/swift-server.js'
import { until } from '../../support/until.js'
import { zipOf } from '../../support/zip-builder.js'

/** How many requests two daemons of a fleet share; ./scripts/soak has a hundred. */
const REQUESTS = Number(process.env['REQUESTS'] ?? 16)
const LEASE_S = 5

// Two daemons without an Engine, which share a database and an object store: one is killed, and not started again.
let nats: NatsServer
let controller: Controller
let client: NatsConnection
let requester: Requester
let database: PostgresServer
let nodes: readonly [StagingNode, StagingNode]
const closes: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'stagerd-fleet-requests-'))
  closes.push(() => rm(directory, { recursive: true }))
  const blobs = await SwiftServer.open()
  closes.push(() => blobs.close())
  database = await PostgresServer.start()
  closes.push(() => database.stop())
  nats = await NatsServer.open()
  closes.push(() => nats.stop())
  controller = await Controller.open(await zipOf([['server.js', 'serve()']]))
  closes.push(() => controller.close())
  client = await connect({ servers: [`127.0.0.1:${nats.port}`] })
  closes.push(() => client.close())
  requester = new Requester(client, controller)
  const { bucket, credentials, endpoint } = blobs.options
  const file = async (name: string, text: string) => {
    await writeFile(path.join(directory, name), text, { mode: 0o600 })
    return path.join(directory, name)
  }
  const flags = {
    ...{ database: 'postgresql', postgresqlHost: database.directory, postgresqlPort: String(database.port) },
    ...{ postgresqlDatabase: 'postgres', blobStore: 's3', s3Endpoint: endpoint, s3Bucket: bucket },
    s3Credentials: await file('credentials', `${credentials!.accessKeyId}\n${credentials!.secretAccessKey}\n`),
    secretsKey: await file('key', 'k'.repeat(32)),
    ...{ nodeLease: `${LEASE_S}s`, cloudFoundryMaxActiveTasks: '2' },
  }
  const nodeOf = async (name: string) => {
    const daemon = await KilledDaemon.compile()
    closes.push(() => daemon.close())
    const node = new StagingNode(daemon, path.join(directory, name), nats, { ...flags, nodeName: name })
    closes.push(() => node.client.close())
    await node.start()
    return node
  }
  nodes = [await nodeOf('one'), await nodeOf('two')]
  await nodes[0].prepare()
  await until('both are subscribed', async () => {
    const asked = Array.from({ length: 8 }, () => client.request('staging', '{}', { timeout: 1000 }))
    const errors = await Promise.allSettled(asked)
    return errors.every(({ status }) => status === 'fulfilled') && (await subscribers()) === 2
  })
}, 120_000)
afterAll(async () => {
  for (const close of closes.reverse()) await close()
})

/** How many nodes have a term. */
async function subscribers(): Promise<number> {
  return (await rows<object>('SELECT number FROM terms WHERE ended_at IS NULL')).length
}

async function rows<Row extends object>(text: string): Promise<readonly Row[]> {
  const connection = new pg.Client(database.connection())
  await connection.connect()
  try {
    return (await connection.query<Row>(text)).rows
  } finally {
    await connection.end()
  }
}

type Recorded = RecordedTask & { readonly name: string }

/** Those that the node of this name has not answered. */
async function recordedBy(name: string): Promise<readonly Recorded[]> {
  const found = await rows<RecordedTask>(
    `SELECT tasks.id, reply, uploading::integer, answer FROM cloud_foundry_tasks AS tasks
     JOIN terms ON terms.number = tasks.term JOIN nodes ON nodes.uuid = terms.node
     WHERE nodes.name = '${name}' AND reply LIKE 'answers.%'`,
  )
  return found.map((one) => ({ ...one, name: one.reply.slice('answers.'.length) }))
}

const isAnswered = (name: string) => requester.answersTo(name).length > 0

it(`${REQUESTS} requests at a fleet, one of whose nodes dies: the other one answers what that one has recorded, and none is staged twice`, async () => {
  const names = Array.from({ length: REQUESTS }, (_, index) => `fleet-${index}`)
  const [killed, other] = nodes
  // Nothing is answered before: the one that dies has some under way then, and some that wait.
  const hanging: (() => void)[] = []
  let isOpen = false
  controller.download = (_, response) => {
    const send = () => void response.end(application)
    if (isOpen) send()
    else hanging.push(send)
  }
  const application = await zipOf([['server.js', 'serve()']])
  for (const name of names) await requester.send(name)
  await until('all are recorded', async () => {
    const both = await Promise.all(['one', 'two'].map(recordedBy))
    return both.flat().length === REQUESTS
  })
  isOpen = true
  for (const send of hanging) send()
  await until('some are answered', () => names.filter(isAnswered).length >= 2)
  await killed.daemon.kill()
  const killedAt = performance.now()
  const recorded = await recordedBy('one')
  expect(recorded.length, 'it has left some').toBeGreaterThan(0)
  await requester.send('meanwhile')
  // Its own ones come first, and each of them is staged.
  await until('the other one answers', () => isAnswered('meanwhile'), 60_000)
  await until('all are answered', () => names.every(isAnswered), 60_000)
  const seconds = (performance.now() - killedAt) / 1000
  await until('nothing is left', async () => (await rows('SELECT id FROM cloud_foundry_tasks')).length === 0)
  await until('all stagings have ended', () => other.isIdle())

  const stagings = await other.stagings()
  const uploadsOf = (name: string) => controller.uploads.filter(({ url }) => url === `/upload/${name}`).length
  const breaches = names.flatMap((name) => {
    const answers = requester.answersTo(name)
    const times = stagings.get(`package::/cloud-foundry::${name}`) ?? 0
    const record = recorded.find((one) => one.name === name)
    const errors = answers.flatMap(({ error }) => error ?? [])
    return [
      ...(times === 1 ? [] : [`${name} has ${times} stagings`]),
      ...(uploadsOf(name) > 1 ? [`the droplet of ${name} was sent twice`] : []),
      ...(new Set(answers.map(({ task_id: id }) => id)).size === 1 ? [] : [`${name} has several tasks`]),
      ...(record && answers[0]?.task_id !== record.id ? [`${name} is answered with another task`] : []),
      ...errors.filter((error) => !(record?.uploading === 1 && error === 'Failed uploading droplet')),
    ]
  })
  console.log(
    `${REQUESTS} requests: ${recorded.length} were those of the node that was killed, and are answered by the other one ` +
      `${seconds.toFixed(1)} s after that, with a lease of ${LEASE_S} s`,
  )
  figures.check('loss', `${REQUESTS} requests of a fleet`, breaches)
  expect(seconds).toBeLessThan(60)
}, 120_000)
