import { connect, type NatsConnection } from '@nats-io/transport-node'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { connect as connectSocket, type AddressInfo } from 'node:net'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { linesOf, requestFor, type Answer } from '../../daemon/cloud-foundry/support/answers.js'
import { furnish } from '../../docs/support/furnish.js'
import { Controller } from '../../support/controller.js'
import { DaemonInProcess } from '../../support/daemon-in-process.js'
import { NatsServer } from '../../support/nats-server.js'
import { until } from '../../support/until.js'
import { zipOf } from '../../support/zip-builder.js'
import { figures } from '../support/promises.js'
import { HOSTILE_MESSAGES } from './messages.js'

let nats: NatsServer
let daemon: DaemonInProcess
let controller: Controller
let client: NatsConnection
/** Listens where no request may lead, and must hear of nothing. */
let forbidden: Server
const heard: string[] = []

beforeAll(async () => {
  nats = await NatsServer.open()
  forbidden = createServer((request, response) => {
    heard.push(`${request.method} ${request.url}`)
    response.end()
  })
  forbidden.on('connection', () => heard.push('a connection'))
  forbidden.listen(0, '127.0.0.2')
  await once(forbidden, 'listening')
  controller = await Controller.open(await zipOf([['server.js', 'serve()']]))
  const honest = await zipOf([['server.js', 'serve()']])
  controller.download = ({ url }, response) => {
    if (url === '/redirect-to-forbidden') response.writeHead(302, { location: inPorts('http://127.0.0.2:FORBIDDEN/') })
    response.end(honest)
  }
  daemon = await DaemonInProcess.start({
    cloudFoundryNats: `nats://127.0.0.1:${nats.port}`,
    cloudFoundryNetworks: '127.0.0.1/32',
    concurrency: '8',
  })
  await furnish(daemon)
  await until('it is subscribed', () => daemon.said('Subscribed to staging'))
  client = await connect({ servers: [`127.0.0.1:${nats.port}`] })
})
afterAll(async () => {
  await client.close()
  await daemon.close()
  await controller.close()
  forbidden.closeAllConnections()
  forbidden.close()
  await nats.stop()
})

const inPorts = (text: string) =>
  text
    .replaceAll('CONTROLLER', String(controller.port))
    .replaceAll('FORBIDDEN', String((forbidden.address() as AddressInfo).port))

const silences = () => daemon.log.filter((entry) => entry.includes('is no JSON')).length

/** All with this subject, over one connection: the answer to a later one shows that an earlier one got none. */
it.each(HOSTILE_MESSAGES)('$name', async ({ name, bytes, answer }) => {
  const before = silences()
  const data = Buffer.from(inPorts(bytes), 'latin1')
  if (answer === 'silence') {
    await expect(client.request('staging', data, { timeout: 300 })).rejects.toThrow()
    expect(silences()).toBe(before + 1)
  } else {
    const document: Answer = (await client.request('staging', data, { timeout: 20_000 })).json()
    if (answer === 'staged') expect([document.error, linesOf(document).at(-1)]).toEqual([undefined, 'Done!'])
    else expect(document.error).toMatch(answer)
    expect(document.task_log).not.toMatch(/127\.0\.0\.[12]:\d+\//)
    expect(silences()).toBe(before)
  }
  figures.check('escape', `the message "${name}"`, heard)
})

it('where no request may lead, somebody listens', async () => {
  await fetch(inPorts('http://127.0.0.2:FORBIDDEN/'))
  expect(heard).toEqual(['a connection', 'GET /'])
  heard.length = 0
})

it('an answer to what is no subject, or to the requests themselves, is sent once at most', async () => {
  const socket = connectSocket(nats.port, '127.0.0.1')
  socket.on('data', () => undefined)
  for (const reply of ['>', 'a.*', 'staging', 'a..b']) socket.write(`PUB staging ${reply} 2\r\n{}\r\n`)
  const honest: Answer = (
    await client.request('staging', JSON.stringify(requestFor('honest', controller)), { timeout: 20_000 })
  ).json()
  expect(honest.error).toBeUndefined()
  const refused = () => daemon.log.filter((entry) => entry.includes('a staging request is recorded')).length
  const count = refused()
  const again: Answer = (
    await client.request('staging', JSON.stringify(requestFor('honest', controller)), { timeout: 20_000 })
  ).json()
  expect([again.error, refused()]).toEqual([undefined, count + 1])
  socket.destroy()
})

it('of what was refused, nothing is left', async () => {
  const stagings = (await daemon.made('staging', 'list', '--limit', '1000')).split('\n')
  const open = stagings.filter((line) => /\b(?:queued|running)\b/.test(line))
  const files = await readdir(path.join(daemon.stateDirectory, 'imports'))
  figures.check('leftover', 'hostile messages over NATS', [...open, ...files])
})
