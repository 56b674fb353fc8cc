import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTls } from 'node:https'
import { connect, createServer as createTcp, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { ControlApi } from '../../cli/api/control-api.js'
import { transportError } from '../../cli/api/daemon-unreachable.js'
import { FirstAnswering } from '../../cli/api/first-answering.js'
import { parseAddresses } from '../../cli/session/choose-endpoint.js'
import { Authority } from '../support/certificates.js'
import { until } from '../support/until.js'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** A node of a fleet, as far as clients see it. */
interface Node {
  readonly asked: string[]
  up(): Promise<void>
  down(): void
  answer: Handler
  /** Resolves when it says that it is well. */
  health: () => Promise<void>
}

let directory: string
let nodes: Node[]
let api: ControlApi

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'stagectl-fleet-'))
  nodes = ['a', 'b', 'c'].map(makeNode)
  const [first, ...others] = ['a', 'b', 'c'].map(
    (name) => ({ kind: 'socket', path: path.join(directory, name) }) as const,
  )
  api = new ControlApi(first!, ...others)
})
afterEach(async () => {
  await api.close()
  nodes.forEach((node) => node.down())
  await rm(directory, { recursive: true })
})

function makeNode(name: string): Node {
  let server: Server | undefined
  const node: Node = {
    asked: [],
    health: () => Promise.resolve(),
    answer: (_request, response) => void response.end(JSON.stringify({ name })),
    up: async () => {
      server = createServer((request, response) => {
        if (request.url === '/healthz') {
          void node.health().then(() => response.end('{}'))
          return
        }
        node.asked.push(`${request.method} ${request.url}`)
        request.resume()
        node.answer(request, response)
      })
      const made = server
      await new Promise<void>((resolve) => made.listen(path.join(directory, name), resolve))
    },
    down: () => {
      server?.close()
      server?.closeAllConnections()
    },
  }
  return node
}

/** Returns the URL of the last one. They end with the test, and so do their connections. */
async function listening(...servers: readonly TcpServer[]): Promise<string> {
  for (const server of servers) {
    const open = new Set<Socket>()
    server.on('connection', (socket: Socket) => open.add(socket))
    onTestFinished(() => {
      server.close()
      open.forEach((socket) => socket.destroy())
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
  return `https://127.0.0.1:${(servers.at(-1)?.address() as AddressInfo).port}`
}

const name = async () => (await api.get<{ name: string }>('/v1/node')).name
/** As a node that dies while it works. */
const dies: Handler = (request) => void request.socket.destroy()

test('the first node that answers is asked, as long as it does', async () => {
  await nodes[1]!.up()
  expect(await name()).toBe('b')
  await nodes[0]!.up()
  expect(await name()).toBe('b')
  nodes[1]!.down()
  expect(await name()).toBe('a')
})

test('a request that has not been sent is sent to another node, whatever it does', async () => {
  await Promise.all(nodes.map((node) => node.up()))
  expect(await name()).toBe('a')
  nodes[0]!.down()
  // When the client has seen that its connection is gone: before, nobody can tell whether a request on it was heard.
  await delay(50)
  expect(await api.post('/v1/stagings', { package: 'a' })).toEqual({ name: 'b' })
  expect(nodes[1]!.asked).toEqual(['POST /v1/stagings'])
})

test('one that was sent and not answered is repeated only if it changes nothing', async () => {
  await Promise.all(nodes.map((node) => node.up()))
  nodes[0]!.answer = dies
  expect(await name(), 'a GET').toBe('b')
  nodes[1]!.answer = nodes[2]!.answer = dies
  // Each may have been done.
  const lost = { code: 'connection-lost' }
  await expect(api.post('/v1/stagings', {})).rejects.toMatchObject(lost)
  await expect(api.delete('/v1/packages/x')).rejects.toMatchObject(lost)
  await expect(api.send('/v1/input', Readable.from([Buffer.from('x')]))).rejects.toMatchObject(lost)
  const asked = nodes.flatMap((node) => node.asked).filter((one) => !one.startsWith('GET'))
  expect(asked.toSorted()).toEqual(['DELETE /v1/packages/x', 'POST /v1/input', 'POST /v1/stagings'])
})

test('what TLS says of a connection that breaks does not repeat a request that was heard', async () => {
  const authority = await Authority.make(directory)
  const { certificate, key } = await authority.issue('node')
  const pem = { cert: readFileSync(certificate), key: readFileSync(key) }
  const heard: string[] = []
  const endpoints = []
  for (const one of ['a', 'b']) {
    const through = new Set<Socket>()
    const server = createTls(pem, (request, response) => {
      if (request.method === 'GET') response.end('{}')
      else heard.push(one)
      // No record of TLS.
      if (request.method !== 'GET') through.forEach((socket) => socket.write('HTTP/1.1 502 Bad Gateway\r\n\r\n'))
    })
    const proxy = createTcp((socket) => {
      const on = connect((server.address() as AddressInfo).port, '127.0.0.1')
      through.add(socket)
      for (const side of [socket, on]) side.on('error', () => undefined)
      socket.pipe(on).pipe(socket)
    })
    endpoints.push({
      kind: 'address',
      url: await listening(server, proxy),
      ca: readFileSync(authority.certificate, 'utf8'),
    } as const)
  }
  const client = new ControlApi({ ...endpoints[0]!, token: undefined }, { ...endpoints[1]!, token: undefined })
  onTestFinished(() => client.close())
  await expect(client.post('/v1/stagings', {})).rejects.toMatchObject({ code: 'connection-lost' })
  expect(heard).toEqual(['a'])
})

test('a node that takes connections and says nothing does not stop those who ask another', async () => {
  await nodes[1]!.up()
  const mute = path.join(directory, 'mute')
  const open = new Set<Socket>()
  const onSocket = createTcp((socket) => open.add(socket)).listen(mute)
  onTestFinished(() => {
    onSocket.close()
    open.forEach((socket) => socket.destroy())
  })
  await once(onSocket, 'listening')
  const silent = { kind: 'address', url: await listening(createTcp()), ca: undefined, token: undefined } as const
  const last = { kind: 'socket', path: path.join(directory, 'b') } as const
  const request = { method: 'GET', path: '/v1/node', headers: {}, body: undefined, signal: undefined } as const
  for (const first of [silent, { kind: 'socket', path: mute }] as const) {
    const fleet = new FirstAnswering([first, last], { connectMs: 50, healthMs: 100 })
    expect((await fleet.request(request)).statusCode).toBe(200)
    await fleet.close()
  }
  const alone = new FirstAnswering([silent], { connectMs: 50 })
  onTestFinished(() => alone.close())
  const error: unknown = await alone.request(request).catch((thrown: unknown) => transportError(thrown, silent))
  expect(error).toMatchObject({ code: 'no-daemon', message: expect.stringContaining('says nothing') as string })
})

test('one who does not wait any more for the choice of a node ends it for nobody else', async () => {
  let open: () => void = () => undefined
  const gate = new Promise<void>((resolve) => (open = resolve))
  let asked = 0
  nodes[0]!.health = async () => {
    asked += 1
    await gate
  }
  await nodes[0]!.up()
  const impatient = new AbortController()
  const first = api.get('/v1/node', { signal: impatient.signal })
  const second = name()
  await until('the node is asked', () => asked === 1)
  impatient.abort(new Error('enough'))
  await expect(first).rejects.toThrow('enough')
  open()
  expect(await second).toBe('a')
  expect(asked).toBe(1)
})

test('a refusal is an answer', async () => {
  await Promise.all(nodes.map((node) => node.up()))
  nodes[0]!.answer = (_request, response) =>
    void response.writeHead(503).end('{"code":"engine-down","detail":"It is down."}')
  await expect(name()).rejects.toMatchObject({ code: 'engine-down' })
  expect(nodes[1]!.asked).toEqual([])
})

test('when nobody answers, the reason of each is told', async () => {
  const error = await name().catch((thrown: unknown) => thrown as Error)
  expect(error).toMatchObject({ code: 'no-daemon' })
  for (const one of ['a', 'b', 'c'])
    expect((error as Error).message).toContain(`No stagerd answers at ${path.join(directory, one)}:`)
  await expect(name(), 'all are tried again').rejects.toThrow(/^None of the 3 addresses answers\. /)
  await nodes[2]!.up()
  expect(await name()).toBe('c')
})

test('addresses are separated by commas', () => {
  expect(parseAddresses('https://a:7300')).toEqual(['https://a:7300'])
  expect(parseAddresses('https://a:7300, https://[::1]:7300')).toEqual(['https://a:7300', 'https://[::1]:7300'])
  for (const wrong of ['', 'https://a:7300,', 'https://a:7300,http://b:7300', 'https://a:7300 https://b:7300'])
    expect(() => parseAddresses(wrong), wrong).toThrow(expect.objectContaining({ code: 'bad-address' }) as Error)
})
