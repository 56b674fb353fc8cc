import type Docker from 'dockerode'
import type { ServerResponse } from 'node:http'
import { Container } from '../../../isolation/engine/container.js'
import { pingEngine } from '../../../isolation/engine/connect.js'
import { askEngineForList } from '../../../isolation/engine/engine-lists.js'
import { EngineSettings } from '../../../isolation/engine/engine-settings.js'
import { AddressPool } from '../../../isolation/network/address-pool.js'
import { Bridges } from '../../../isolation/network/bridges.js'

export const ID = '4128'.repeat(16)
const OTHER = 'beef'.repeat(16)

/** What stagerd asks an Engine in the life of a launch, and the true answer. */
export interface Question {
  readonly asks: string
  /** The method and the path, without the query. */
  readonly route: string
  readonly status: number
  /** Undefined for an answer without a body. */
  readonly truth: object | undefined
  readonly ask: (engine: Docker) => Promise<unknown>
  /** Answers of the right form that cannot be true. */
  readonly untrue?: readonly object[]
}

const RUNNING = { Status: 'running', Running: true, Pid: 4128, ExitCode: 0, OOMKilled: false, Error: '' }
const inspected = (state: object, id = ID) => ({
  Id: id,
  State: { ...RUNNING, ...state },
  NetworkSettings: { Ports: {} },
})
const container = (engine: Docker) => new Container(engine, ID)
const NEVER = new AbortController().signal

/** Of a state. */
const NO_STATES: readonly object[] = [
  { Id: ID },
  { Id: ID, State: null },
  inspected({ Pid: -1 }),
  inspected({ Pid: '4128' }),
  inspected({ Pid: 1.5 }),
  inspected({ Running: 'no' }),
  inspected({ ExitCode: null }),
]

export const QUESTIONS: readonly Question[] = [
  {
    asks: 'whether it answers',
    route: 'GET /version',
    status: 200,
    truth: { Components: [{ Name: 'Engine' }, { Name: 'containerd' }] },
    ask: (engine) => pingEngine(engine),
    untrue: [{}, { Components: null }, { Components: {} }, { Components: [] }],
  },
  {
    asks: 'for its settings',
    route: 'GET /info',
    status: 200,
    truth: { DockerRootDir: '/var/lib/docker', SecurityOptions: [] },
    ask: (engine) => new EngineSettings(engine).directory(),
    untrue: [
      {},
      { DockerRootDir: 4128 },
      { DockerRootDir: 'docker' },
      { DockerRootDir: '/var', SecurityOptions: 'none' },
    ],
  },
  {
    asks: 'for a network',
    route: 'POST /networks/create',
    status: 201,
    truth: { Id: 'n' },
    ask: (engine) =>
      new Bridges(
        engine,
        { nodeId: '00000000-0000-4000-8000-000000000000', installDirectory: '/opt/stagerd' },
        new AddressPool('198.18.0.0/24'),
      ).create('7d0f4f0e-6c4b-4f0a-9d3c-2b1f6a5e4d3c', true),
    untrue: [{}, { Id: null }, { Id: '' }],
  },
  {
    asks: 'for a container',
    route: 'POST /containers/create',
    status: 201,
    truth: { Id: ID },
    ask: (engine) => Container.create(engine, { Image: 'x' }),
    untrue: [{}, { Id: '' }, { Id: 4128 }, { Id: '../../images' }, { Id: '4128' }, { id: ID }],
  },
  {
    asks: 'for a start',
    route: `POST /containers/${ID}/start`,
    status: 204,
    truth: undefined,
    ask: (engine) => container(engine).start(),
  },
  {
    asks: 'what it has started',
    route: `GET /containers/${ID}/json`,
    status: 200,
    truth: inspected({}),
    ask: (engine) => container(engine).inspectStarted(),
    untrue: [...NO_STATES, inspected({}, OTHER), inspected({ Status: 'created', Running: false, Pid: 0 })],
  },
  {
    asks: 'for an exit code',
    route: `GET /containers/${ID}/json`,
    status: 200,
    truth: inspected({ Running: false, Pid: 0 }),
    ask: (engine) => container(engine).exitCode(),
    untrue: NO_STATES,
  },
  {
    asks: 'whether memory ran out',
    route: `GET /containers/${ID}/json`,
    status: 200,
    truth: inspected({ Running: false, Pid: 0 }),
    ask: (engine) => container(engine).wasOutOfMemory(),
    untrue: [...NO_STATES, inspected({ OOMKilled: 'yes' })],
  },
  {
    asks: 'for the end',
    route: `POST /containers/${ID}/wait`,
    status: 200,
    truth: { StatusCode: 0 },
    ask: (engine) => container(engine).wait(NEVER),
    untrue: [{}, { StatusCode: null }, { StatusCode: '0' }, { Error: { Message: 'lost' } }],
  },
  {
    asks: 'for a freeze',
    route: `POST /containers/${ID}/pause`,
    status: 204,
    truth: undefined,
    ask: (engine) => container(engine).pause(),
  },
  {
    asks: 'for a removal',
    route: `DELETE /containers/${ID}`,
    status: 204,
    truth: undefined,
    ask: (engine) => container(engine).remove(),
  },
  {
    asks: 'for its containers',
    route: 'GET /containers/json',
    status: 200,
    truth: [{ Id: ID, Labels: {} }],
    ask: (engine) => askEngineForList('list its containers', () => engine.listContainers(), 1),
    untrue: [{}, [null], ['4128'], [4128]],
  },
]

/** How an Engine answers that lies, fails or is about to end. */
export interface Lie {
  readonly lie: string
  /** Whether it is one only where an answer has a body. */
  readonly ofBodies?: true
  readonly tell: (response: ServerResponse, { status, truth }: Question) => void
}

const json = { 'content-type': 'application/json' }
const whole = (
  response: ServerResponse,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = json,
) => void response.writeHead(status, headers).end(body)
const saying = (lie: string, status: number | undefined, body: string, type?: string): Lie => ({
  lie,
  tell: (response) => whole(response, status ?? 200, body, type === undefined ? json : { 'content-type': type }),
})

export const LIES: readonly Lie[] = [
  {
    lie: 'half of the answer, as if it were whole',
    ofBodies: true,
    tell: (response, { status, truth }) => {
      const text = JSON.stringify(truth)
      whole(response, status, text.slice(0, text.length / 2))
    },
  },
  {
    lie: 'half of the answer, and then the connection is cut',
    ofBodies: true,
    tell: (response, { status, truth }) => {
      const text = JSON.stringify(truth)
      response.writeHead(status, { ...json, 'content-length': text.length })
      response.write(text.slice(0, text.length / 2), () => response.destroy())
    },
  },
  {
    lie: 'a head, and then the connection is cut',
    tell: (response, { status }) => {
      response.writeHead(status === 204 ? 200 : status, { ...json, 'content-length': 100 }).flushHeaders()
      setImmediate(() => response.destroy())
    },
  },
  {
    lie: 'half of a piece, and then the connection is cut',
    tell: (response) => {
      response.socket?.end(
        'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"Id',
      )
    },
  },
  { lie: 'nothing, and the connection is cut', tell: (response) => void response.destroy() },
  {
    lie: 'what is not HTTP',
    tell: (response) => {
      response.socket?.end('SSH-2.0-OpenSSH_9.2p1\r\n')
    },
  },
  saying('success, with an error in the body', undefined, '{"message":"no such host"}'),
  saying('a page for people', undefined, '<html><body>502 Bad Gateway</body></html>', 'text/html'),
  saying('noise', undefined, '\u0000\u0001\u0002'),
  ...['', 'null', '42', '"text"', 'true', '[]'].map((body) => ({
    ...saying(`success, with ${body || 'nothing'} in the body`, undefined, body),
    ofBodies: true as const,
  })),
  saying('500', 500, '{"message":"transport is closing"}'),
  saying('500 without a word', 500, ''),
  saying('502 of something in between', 502, 'Bad Gateway', 'text/plain'),
  saying('503', 503, '{"message":"shutting down"}'),
]
