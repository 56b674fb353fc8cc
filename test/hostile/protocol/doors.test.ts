import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Coordinator } from '../../../daemon/coordinator/coordinator.js'
import type { CoordinatorListener } from '../../../daemon/coordinator/coordinator-listener.js'
import { ApiUnderTest } from '../../daemon/api/api-under-test.js'
import { longestTurnOf } from '../../support/cpu-time.js'
import { MemoryLaunchHandler } from '../../support/memory-launch-handler.js'
import { RawClient } from '../../support/raw-client.js'
import { Latencies } from '../support/latencies.js'
import { figures } from '../support/promises.js'
import { LOADS } from './loads.js'
import { HOSTILE_REQUESTS, type HostileRequest } from './requests.js'

/** Where hostile requests are sent, and who is beside it. */
interface Door {
  /** A URL, or the path of a socket. */
  readonly place: string
  readonly words: Readonly<Record<'READ' | 'CHANGE' | 'UPLOAD' | 'HOST' | 'FORM', string>>
  /** What a request must not have changed, in words. */
  readonly state: () => Promise<readonly string[]>
  /** A request of somebody who does nothing wrong. */
  readonly neighbour: () => Promise<number>
}

const IDLE_REQUESTS = 200

/** How long an answer may take, in milliseconds, on a busy host. Only a case that fails waits so long. */
const DEADLINE_MS = 10_000

/** All of the suite at one door. */
function suite(which: 'stager' | 'control', door: () => Door): void {
  const [idle, meanwhile] = [new Latencies(), new Latencies()]
  let goesOn = true
  let neighbour: Promise<void>
  const statuses = new Set<number>()
  let idleTurn = 0
  let hostileTurn: Promise<number>
  let finish: () => void

  beforeAll(async () => {
    const ask = async (latencies: Latencies) => statuses.add(await latencies.of(door().neighbour))
    for (let n = 0; n < 50; n++) await ask(new Latencies())
    idleTurn = await longestTurnOf(async () => {
      for (let n = 0; n < IDLE_REQUESTS; n++) await ask(idle)
    })
    const all = async () => {
      while (goesOn) {
        await ask(meanwhile)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    hostileTurn = longestTurnOf(() => new Promise<void>((resolve) => (finish = resolve)))
    neighbour = all()
  })

  it.each(HOSTILE_REQUESTS.filter((request) => request[which] !== undefined))('$name', async (request) => {
    const before = await door().state()
    const wanted = request[which] ?? []
    expect(await answeredTo(request, door(), wanted.length)).toEqual(wanted)
    figures.check('escape', `${request.name} at the ${which} API`, changes(before, await door().state()))
  })

  it.each(LOADS)('$name, $count times', async ({ name, bytes, count, reads, closed }) => {
    const before = await door().state()
    const clients = await Promise.all(Array.from({ length: count }, () => RawClient.connect(door().place)))
    const text = Buffer.from(inWordsOf(door(), bytes), 'latin1')
    for (const client of clients) {
      if (!reads) client.socket.pause()
      client.socket.write(text)
    }
    for (let n = 0; n < 50; n++) expect(await door().neighbour()).toBe(200)
    if (closed[which] > 0)
      await expect.poll(() => clients.filter(({ isClosed }) => isClosed).length).toBe(closed[which])
    for (const client of clients) client.end()
    figures.check('escape', `${name}, ${count} times, at the ${which} API`, changes(before, await door().state()))
  })

  it('a neighbour is answered as before', async () => {
    goesOn = false
    await neighbour
    finish()
    const turn = await hostileTurn
    console.log(
      `neighbour at the ${which} API: idle ${idle.text}, meanwhile ${meanwhile.text}; turns ${idleTurn.toFixed(1)} and ${turn.toFixed(1)} ms`,
    )
    expect([...statuses]).toEqual([200])
    expect(meanwhile.count).toBeGreaterThan(IDLE_REQUESTS / 2)
    expect(meanwhile.median).toBeLessThan(10 * idle.median)
    // Of processor time, because other processes of the host delay some answers.
    expect(turn).toBeLessThan(30 * idleTurn)
  })
}

const inWordsOf = (door: Door, bytes: string) =>
  bytes.replaceAll(/READ|CHANGE|UPLOAD|HOST|FORM/g, (word) => door.words[word as keyof Door['words']])

/** The statuses of the answers. Waits for as many as are `wanted`, and for others that would be there by then. */
async function answeredTo({ bytes, then }: HostileRequest, door: Door, wanted: number): Promise<number[]> {
  const client = await RawClient.connect(door.place)
  client.socket.write(Buffer.from(inWordsOf(door, bytes), 'latin1'))
  if (then === 'half-close') client.socket.end()
  if (then === 'reset') {
    await door.neighbour()
    client.socket.destroy()
  }
  const deadline = performance.now() + DEADLINE_MS
  while (client.statuses.length < wanted && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 2))
  // Of a smuggled request, the answer would come at once behind the first one.
  await door.neighbour()
  await door.neighbour()
  client.end()
  return [...client.statuses]
}

const changes = (before: readonly string[], after: readonly string[]) => after.filter((line) => !before.includes(line))

describe('a hostile request at the Stager API', () => {
  const handlers = { hostile: new MemoryLaunchHandler(), neighbour: new MemoryLaunchHandler() }
  let listeners: CoordinatorListener[]
  beforeAll(async () => {
    const coordinator = new Coordinator({ logger: { error: () => undefined }, limits: { lingerMs: 50 } })
    listeners = [
      await coordinator.open(handlers.hostile, '127.0.0.1'),
      await coordinator.open(handlers.neighbour, '127.0.0.1'),
    ]
  })
  afterAll(async () => void (await Promise.all(listeners.map((listener) => listener.close()))))

  suite('stager', () => ({
    place: listeners[0]!.url,
    words: {
      READ: `GET /${handlers.hostile.launch}/meta`,
      CHANGE: `PUT /${handlers.hostile.launch}/meta`,
      UPLOAD: `POST /${handlers.hostile.launch}/data?sha256=${'0'.repeat(64)}`,
      HOST: 'Host: x',
      FORM: 'Content-Type: application/x-www-form-urlencoded',
    },
    state: () =>
      Promise.resolve([
        `metadata ${JSON.stringify(handlers.hostile.meta)}`,
        `data ${handlers.hostile.data.toString('hex')}`,
        ...handlers.hostile.calls.filter((call) => /^(replaced|alter|verdict|snapshot)/.test(call)),
        ...handlers.neighbour.calls,
      ]),
    neighbour: async () => {
      const response = await fetch(`${listeners[1]!.url}/meta`)
      await response.arrayBuffer()
      return response.status
    },
  }))
})

describe('a hostile request at the control socket', () => {
  let under: ApiUnderTest
  let socket: string
  beforeAll(async () => {
    under = await ApiUnderTest.open()
    socket = await under.listen()
  })
  afterAll(() => under.close())

  suite('control', () => ({
    place: socket,
    words: {
      READ: 'GET /v1/packages',
      CHANGE: 'POST /v1/packages',
      UPLOAD: 'POST /v1/resources',
      HOST: 'Host: x',
      FORM: 'Content-Type: application/json',
    },
    state: async () => [
      ...(await under.store.packages.listUsable()).map(({ uuid }) => `package ${uuid}`),
      ...(await under.storedBlobs()).map((blob) => `blob ${blob}`),
      ...(Object.getOwnPropertyNames(Object.prototype).includes('polluted') ? ['the prototype'] : []),
    ],
    neighbour: async () => {
      const { request, answer } = await under.connect('GET', '/healthz')
      request.end()
      const answered = await answer
      answered.resume()
      return answered.statusCode ?? 0
    },
  }))
})
