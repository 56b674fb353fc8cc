import { connect, type NatsConnection } from '@nats-io/transport-node'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Staging } from '../../../daemon/documents/staging.js'
import { Requester } from '../../daemon/cloud-foundry/support/answers.js'
import { figures } from '../../hostile/support/promises.js'
import { Controller } from '../../support/controller.js'
import { recordedTasks } from '../../support/durability/staging-node.js'
import { NatsServer } from '../../support/nats-server.js'
import { zipOf } from '../../support/zip-builder.js'
import { expectNothingLeft, removeImages } from '../support/leftovers.js'
import { until, type PrivateDaemon } from '../support/private-daemon.js'
import { addShellStager, isSubscribed, startRequestNode } from '../support/request-node.js'

/** How many requests two daemons share; ./scripts/soak has a hundred. */
const REQUESTS = Number(process.env['REQUESTS'] ?? 12)
const TASKS = 4

/** Asks the coordinator again and again, and says so. */
const NEIGHBOUR = `#!/bin/sh
while wget -q -O /dev/null "$STAGER_URL/meta"; do echo tick; sleep 0.05; done
`

let nats: NatsServer
let controller: Controller
let client: NatsConnection
let requester: Requester
let nodes: readonly [PrivateDaemon, PrivateDaemon]

beforeAll(async () => {
  nats = await NatsServer.open()
  controller = await Controller.open(await zipOf([['server.js', 'serve()']]))
  client = await connect({ servers: [`127.0.0.1:${nats.port}`] })
  requester = new Requester(client, controller)
  const flags = ['--concurrency', '8', '--cloud-foundry-max-active-tasks', String(TASKS)]
  nodes = [await startRequestNode(nats, flags), await startRequestNode(nats, flags)]
  await isSubscribed(client)
})
afterAll(async () => {
  await client.close()
  for (const node of nodes) {
    await node.stop()
    await expectNothingLeft(node)
    await removeImages(node)
    await node.close()
  }
  await controller.close()
  await nats.stop()
})

const stagingsOf = (node: PrivateDaemon) => node.ask<Staging[]>('GET', '/v1/stagings?limit=1000')
const isAnswered = (name: string) => requester.answersTo(name).length > 0

it(`two daemons share ${REQUESTS} requests, and one is killed in the middle: each is staged once, and none that was recorded is lost`, async () => {
  const names = Array.from({ length: REQUESTS }, (_, index) => `shared-${index}`)
  const [killed] = nodes
  let sent = 0
  const send = () => requester.send(names[sent++] ?? '')
  while (sent < REQUESTS / 2) await send()
  await until('some are answered', () => names.filter(isAnswered).length >= REQUESTS / 12)
  // The server shares them by chance.
  await until('the one that will be killed has some under way', async () => {
    if ((await stagingsOf(killed)).some(({ state }) => state === 'running')) return true
    if (sent < names.length) await send()
    return false
  })
  const sending = Promise.all(names.slice(sent).map((name) => requester.send(name)))
  await killed.kill()
  await sending
  const record = recordedTasks(killed.stateDirectory)
  const recorded = new Set(record.map(({ reply }) => reply.slice('answers.'.length)))
  expect(record.length).toBeGreaterThan(0)
  // The other one goes on meanwhile.
  await requester.send('meanwhile')
  await until('the other one answers', () => isAnswered('meanwhile'), 300_000)
  await killed.restart()
  await until('what was recorded is answered', () => [...recorded].every(isAnswered), 300_000)
  await until(
    'all stagings have ended',
    async () =>
      (await Promise.all(nodes.map(stagingsOf))).flat().every(({ state }) => state !== 'queued' && state !== 'running'),
    300_000,
  )

  const shared = (await Promise.all(nodes.map(stagingsOf))).map((all) =>
    all.map(({ package: fqn }) => fqn).filter((fqn) => fqn.includes('::shared-')),
  )
  const timesOf = (name: string) => shared.flat().filter((fqn) => fqn === `package::/cloud-foundry::${name}`).length
  const lost = names.filter((name) => !isAnswered(name))
  const isSending = (name: string) =>
    record.some(({ reply, uploading }) => reply === `answers.${name}` && uploading === 1)
  console.log(
    `${names.length} requests: ${shared[0]?.length} staged by the daemon that was killed, ${shared[1]?.length} by the other; ` +
      `${recorded.size} were recorded and not answered, ${lost.length} had arrived and were not recorded`,
  )
  figures.check('loss', `${names.length} requests of two daemons on an Engine`, [
    ...lost.filter((name) => recorded.has(name)).map((name) => `${name} was recorded, and is not answered`),
    ...names
      .filter((name) => timesOf(name) !== (lost.includes(name) ? 0 : 1))
      .map((name) => `${name} was not staged once`),
    ...names.flatMap((name) => {
      const answers = requester.answersTo(name)
      const isOne = new Set(answers.map(({ task_id: id }) => id)).size <= 1
      const wrong = answers.filter(({ error }) => error !== undefined && !isSending(name))
      return [...(isOne ? [] : [`${name} has several tasks`]), ...wrong.map(({ error }) => `${name}: ${error}`)]
    }),
  ])
  expect(shared.every(({ length }) => length > 0)).toBe(true)
}, 600_000)

it('ten requests at once: four are under way, the others are queued, and a neighbour on the Stager API keeps its pace', async () => {
  const [node, other] = nodes
  // All ten are for the one with the neighbour.
  await other.stop()
  await addShellStager(node, 'neighbour', NEIGHBOUR)
  await node.addPackage(path.join(node.directory, 'neighbour.tar.gz'), 'subject', { state: 'uploaded' })
  const { uuid } = await node.submit('subject', 'neighbour')
  const ticks = async () => (await node.lines(uuid, { follow: false })).filter(({ text }) => text === 'tick')
  const perSecond = async (from: number, to: number) =>
    (await ticks()).filter(({ time }) => Date.parse(time) >= from && Date.parse(time) < to).length /
    ((to - from) / 1000)
  await until('the neighbour has begun', async () => (await ticks()).length > 10)
  const idleFrom = Date.now()
  await delay(2000)
  const began = Date.now()

  const names = Array.from({ length: 10 }, (_, index) => `at-once-${index}`)
  for (const name of names) await requester.send(name)
  let most = 0
  let shown = 0
  await until('all are answered', async () => {
    const all = (await stagingsOf(node)).filter(({ package: fqn }) => fqn.includes('::at-once-'))
    most = Math.max(most, all.filter(({ state }) => state === 'running').length)
    shown = Math.max(shown, all.length)
    return names.every(isAnswered)
  })
  const ended = Date.now()
  const [idle, busy] = [await perSecond(idleFrom, began), await perSecond(began, ended)]
  await node.ask('POST', `/v1/stagings/${uuid}/cancel`)
  await node.ended(uuid)
  await other.restart()

  console.log(
    `ten requests in ${((ended - began) / 1000).toFixed(1)} s, at most ${most} at once; a neighbour on the Stager API: ` +
      `${busy.toFixed(1)} of ${idle.toFixed(1)} requests per second, ${(busy / idle).toFixed(2)} of its pace`,
  )
  expect(names.map((name) => requester.answersTo(name).map(({ error }) => error))).toEqual(Array(10).fill([undefined]))
  expect([most <= TASKS, shown]).toEqual([true, 10])
  // Ten launches take the processors that it has, too; what must not be is that it waits for them.
  expect(busy / idle).toBeGreaterThan(0.25)
}, 300_000)
