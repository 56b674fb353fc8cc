import { connect, type NatsConnection } from '@nats-io/transport-node'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { Requester } from '../../daemon/cloud-foundry/support/answers.js'
import { figures } from '../../hostile/support/promises.js'
import { Controller } from '../../support/controller.js'
import { WatchedDisk } from '../../support/disk/watched-disk.js'
import { findLeft } from '../../support/durability/checkers.js'
import { KilledDaemon } from '../../support/durability/killed-daemon.js'
import { StagingNode } from '../../support/durability/staging-node.js'
import { NatsServer } from '../../support/nats-server.js'
import { tarOf } from '../../support/tar-builder.js'
import { until } from '../../support/until.js'

/** With CRASHES, the daemon is killed at every change of a file that a request makes, before it and after it, and there are more requests. */
const ALL = process.env['CRASHES'] !== undefined
const REQUESTS = ALL ? 100 : 40

const COMMIT = 'fsync state/stagerd.db-wal'

let nats: NatsServer
let controller: Controller
let client: NatsConnection
let requester: Requester
let compiled: KilledDaemon
const opened: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  nats = await NatsServer.open()
  // No zip: it is opened by the name that an unlinked file has in /proc, which this disk does not have.
  controller = await Controller.open(tarOf({ name: 'app/server.js', data: 'serve()' }))
  client = await connect({ servers: [`127.0.0.1:${nats.port}`], reconnectTimeWait: 50, maxReconnectAttempts: -1 })
  requester = new Requester(client, controller)
  compiled = await KilledDaemon.compile()
  opened.push(() => compiled.close())
})
afterAll(async () => {
  for (const close of opened.reverse()) await close()
  await client.close()
  await controller.close()
  await nats.stop()
})

function nodeOn(stateDir: string): StagingNode {
  const daemon = compiled.another()
  opened.push(() => daemon.close())
  const node = new StagingNode(daemon, stateDir, nats)
  opened.push(() => node.client.close())
  return node
}

const uploadsOf = (appId: string) => controller.uploads.filter(({ url }) => url === `/upload/${appId}`).length

/** Of a request whose record had this. Each line is a breach of the promise. */
async function breaches(
  appId: string,
  node: StagingNode,
  record: { readonly id: string; readonly uploading: 0 | 1 } | undefined,
): Promise<string[]> {
  const answers = requester.answersTo(appId)
  const stagings = (await node.stagings()).get(`package::/cloud-foundry::${appId}`) ?? 0
  const ids = new Set(answers.map(({ task_id: id }) => id))
  const errors = answers.flatMap(({ error }) => (error === undefined ? [] : [error]))
  return [
    ...(record && answers.length === 0 ? ['it was recorded, and is not answered'] : []),
    ...(ids.size > 1 ? ['it is answered with several tasks'] : []),
    ...(record && answers.length > 0 && !ids.has(record.id) ? ['it is answered with another task'] : []),
    ...(answers.length > 2 ? [`it is answered ${answers.length} times`] : []),
    ...(stagings > 1 ? [`it has ${stagings} stagings`] : []),
    ...(uploadsOf(appId) > 1 ? ['its droplet was sent twice'] : []),
    ...errors.filter((error) => !(record?.uploading === 1 && error === 'Failed uploading droplet')),
  ]
}

it(
  'kill -9 at each commit of a request: what was recorded is answered with its task, and staged once',
  async () => {
    const disk = await WatchedDisk.open()
    opened.push(() => disk.close())
    const node = nodeOn(path.join(disk.path, 'state'))
    // It shares what is published, also where this test fails.
    onTestFinished(() => node.daemon.kill())
    let pid = await node.start()
    await node.prepare()
    await isSubscribed()

    disk.plan()
    await requester.send('first')
    await until('it is answered', () => requester.answersTo('first').length === 1)
    await until('its task is removed', async () => (await settled(disk)) > 0)
    expect(requester.answersTo('first')[0]?.error).toBeUndefined()
    const all = disk.report.points
    const nthOf = (index: number) => all.slice(0, index + 1).filter((point) => point === all[index]).length
    // The first write of a request is that of its record. What is written before a commit outlives the process.
    const unrecorded = { point: 'write state/stagerd.db-wal', nth: 1, when: 'before' as const }
    const commits = all
      .map((point, index) => ({ point, nth: nthOf(index) }))
      .filter(({ point }) => ALL || point === COMMIT)
      .flatMap((one, index) =>
        (ALL ? (['before', 'after'] as const) : [index % 2 === 0 ? ('before' as const) : ('after' as const)]).map(
          (when) => ({ ...one, when }),
        ),
      )
    // Record, begin, package, submission, log, source, admission, launch twice, verdict, upload, answer, end.
    expect(commits.length).toBeGreaterThanOrEqual(10)
    const moments = [unrecorded, ...commits]

    let recordedBefore = 0
    let kills = 0
    for (const [index, { point, nth, when }] of moments.entries()) {
      const appId = `killed-${index}`
      disk.plan({ point, nth, then: { kill: pid, when } })
      await requester.send(appId)
      await Promise.race([node.daemon.gone(), until('it is answered', () => requester.answersTo(appId).length > 0)])
      if (disk.report.happened === undefined) {
        // Changes in the background come sooner or later.
        await node.daemon.kill()
      } else kills += 1
      await node.daemon.gone()
      disk.plan()
      const record = node.recorded().find(({ reply }) => reply === `answers.${appId}`)
      if (!record && requester.answersTo(appId).length === 0) recordedBefore += 1
      pid = await node.start()
      await isSubscribed()
      // One that comes later: whatever was recorded before is answered by then, or not at all.
      await requester.send(`${appId}-later`)
      await until('the later one is answered', () => requester.answersTo(`${appId}-later`).length > 0)
      if (record) await until('it is answered', () => requester.answersTo(appId).length > 0)
      const what = `a request whose daemon was killed ${when} ${point} (${nth})`
      figures.check('loss', what, [
        ...(await breaches(appId, node, record)),
        ...(await breaches(`${appId}-later`, node, undefined)),
      ])
      await expectNothingLeftOf(node, what)
    }
    console.log(`${kills} kills of ${moments.length}; ${recordedBefore} requests were lost before their record`)
    expect(recordedBefore).toBeGreaterThanOrEqual(1)
    expect(kills).toBeGreaterThan(moments.length / 2)
    await node.daemon.kill()
    expect(node.recorded()).toEqual([])
  },
  240_000 + (ALL ? 1_500_000 : 0),
)

async function expectNothingLeftOf(node: StagingNode, what: string): Promise<void> {
  await until('all stagings have ended', () => node.isIdle())
  figures.check('leftover', what, await findLeft(node.stateDir))
}

/** A daemon has subscribed: a message that is no request is answered. */
async function isSubscribed(): Promise<void> {
  await until('a daemon is subscribed', () =>
    client.request('staging', '{}', { timeout: 1000 }).then(
      () => true,
      () => false,
    ),
  )
}

/** How many commits there are, when no more come. */
async function settled(disk: WatchedDisk): Promise<number> {
  const count = () => disk.report.points.filter((point) => point === COMMIT).length
  const before = count()
  await new Promise((resolve) => setTimeout(resolve, 200))
  return count() === before ? before : 0
}

it('two daemons that share requests, one of them killed in the middle: each is staged once, and none that was recorded is lost', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'stagerd-two-'))
  opened.push(() => rm(directory, { recursive: true }))
  const nodes = [nodeOn(path.join(directory, 'one')), nodeOn(path.join(directory, 'two'))] as const
  for (const node of nodes) {
    await node.start()
    await node.prepare()
    // Others may not share what is asked here.
    await isSubscribed()
  }
  const names = Array.from({ length: REQUESTS }, (_, index) => `shared-${index}`)
  for (const name of names.slice(0, REQUESTS / 2)) await requester.send(name)
  const answered = () => names.filter((name) => requester.answersTo(name).length > 0)
  await until('a quarter is answered', () => answered().length >= REQUESTS / 4)
  const [killed, other] = nodes
  const sending = Promise.all(names.slice(REQUESTS / 2).map((name) => requester.send(name)))
  await killed.daemon.kill()
  await sending
  const answeredByThen = new Set(answered())
  const record = killed.recorded()
  expect(record.length).toBeGreaterThan(0)

  // The other one goes on with its own, and takes what comes now.
  await requester.send('meanwhile')
  await until('the other answers', () => requester.answersTo('meanwhile').length > 0)
  const ofKilled = new Set(record.map(({ reply }) => reply.slice('answers.'.length)))
  await until('the other has done its own', () => other.isIdle())
  for (const name of ofKilled) if (!answeredByThen.has(name)) expect(requester.answersTo(name)).toEqual([])

  await killed.start()
  await until('what was recorded is answered', () =>
    [...ofKilled].every((name) => requester.answersTo(name).length > 0),
  )
  const shared = await Promise.all(nodes.map((node) => node.stagings()))
  const lost = names.filter((name) => requester.answersTo(name).length === 0)
  const twice = names.filter((name) => {
    const fqn = `package::/cloud-foundry::${name}`
    const times = shared.reduce((sum, stagings) => sum + (stagings.get(fqn) ?? 0), 0)
    return times > 1 || (times === 0 && !lost.includes(name))
  })
  const repeated = names.filter((name) => requester.answersTo(name).length > 1)
  const counts = shared.map((stagings) => [...stagings.keys()].filter((fqn) => fqn.includes('::shared-')).length)
  console.log(
    `${names.length} requests: ${counts[0]} staged by the daemon that was killed, ${counts[1]} by the other; ` +
      `${lost.length} had arrived and were not recorded; ${repeated.length} answered twice`,
  )
  figures.check('loss', `${REQUESTS} requests of two daemons`, [
    ...twice.map((name) => `${name} was not staged once`),
    ...lost.filter((name) => ofKilled.has(name)).map((name) => `${name} was recorded, and is not answered`),
    ...names.flatMap((name) => {
      const ids = new Set(requester.answersTo(name).map(({ task_id: id }) => id))
      return ids.size > 1 ? [`${name} has ${ids.size} tasks`] : []
    }),
    ...names.flatMap((name) => {
      const uploading = record.some(({ reply, uploading: is }) => reply === `answers.${name}` && is === 1)
      const [error] = requester.answersTo(name).flatMap(({ error: one }) => one ?? [])
      return error === undefined || (uploading && error === 'Failed uploading droplet') ? [] : [`${name}: ${error}`]
    }),
  ])
  // Which of the two gets a request is left to chance.
  expect(Math.min(...counts)).toBeGreaterThan(ALL ? 10 : 1)
  // At most those that arrived in the moment of the kill.
  expect(lost.length).toBeLessThan(ALL ? 50 : 25)
  for (const node of nodes) await expectNothingLeftOf(node, 'a node of two')
}, 240_000)
