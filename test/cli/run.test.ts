import type { ServerResponse } from 'node:http'
import { beforeEach, expect, test } from 'vitest'
import type { DoctorReport } from '../../daemon/documents/node.js'
import type { RunEvent } from '../../daemon/documents/run.js'
import { anyPackage } from './support/documents.js'
import { useHarness } from './support/harness.js'

const harness = useHarness()
beforeEach(() => void harness().api.on('GET /v1/packages/:ref', anyPackage))
const RUN = '7c9e6679-7425-40de-944b-e07fc1f90ae7'

function events(response: ServerResponse, ...list: readonly RunEvent[]): ServerResponse {
  for (const event of list) response.write(`${JSON.stringify(event)}\n`)
  return response
}

const output = (stream: 'stdout' | 'stderr', text: string): RunEvent => ({
  event: 'output',
  stream,
  data: Buffer.from(text).toString('base64'),
})

test('run passes the output on, prints ports to stderr, and exits with the exit code of the program', async () => {
  const { api, run } = harness()
  api.on('POST /v1/runs', (_request, response) => {
    events(
      response,
      { event: 'started', run: RUN, ports: [8080, 32768] },
      output('stdout', 'to out\n'),
      output('stderr', 'to err\n'),
      { event: 'ended', exit_code: 7, reason: 'exited' },
    ).end()
  })
  const argv = [
    'run',
    'app',
    '--publish',
    '8080:3000',
    '--publish',
    '80',
    '-e',
    'A=b',
    '--command',
    './serve',
    '--user',
    'web',
  ]
  const { code, io } = await run(...argv, '-ae')
  expect(code).toBe(7)
  expect(io.out).toBe('to out\n')
  expect(io.err).toBe(
    'Port 3000 is published at http://127.0.0.1:8080\nPort 80 is published at http://127.0.0.1:32768\nto err\napp ended with exit code 7.\n',
  )
  expect(api.sent('POST /v1/runs')).toEqual({
    package: 'package::/::app',
    command: './serve',
    user: 'web',
    environment: { A: 'b' },
    publish: [
      { host_port: 8080, container_port: 3000 },
      { host_port: 0, container_port: 80 },
    ],
    allow_egress: true,
  })
  const json = await run('run', 'app', '--json')
  expect(json.io.document()).toEqual({ ports: [8080, 32768], exit_code: 7, reason: 'exited' })
})

test.each([
  ['that fails', { exit_code: 1, reason: 'exited' }, 'app ended with exit code 1.\nWhat to do: Listen.\n'],
  ['that is stopped', { exit_code: 0, reason: 'exited' }, 'What to do: Listen.\n'],
])('run: the hint of the daemon is the last line of a program %s', async (_what, ending, shown) => {
  const { api, run } = harness()
  api.on('POST /v1/runs', (_request, response) => {
    const ended: RunEvent = { event: 'ended', ...ending, hint: 'Listen.' }
    events(response, { event: 'started', run: RUN, ports: [] }, ended).end()
  })
  expect((await run('run', 'app')).io.err).toBe(shown)
  const json = await run('run', 'app', '--json')
  expect(json.io.document()).toEqual({ ports: [], ...ending, hint: 'Listen.' })
})

test('run: Ctrl-C stops the program, and its last output is printed', async () => {
  const { api, io: makeIo, start } = harness()
  let runResponse: ServerResponse | undefined
  api.on('POST /v1/runs', (_request, response) => {
    runResponse = events(response, { event: 'started', run: RUN, ports: [] }, output('stdout', 'up\n'))
  })
  api.on(`POST /v1/runs/${RUN}/stop`, (_request, response) => {
    response.writeHead(204).end()
    if (runResponse) events(runResponse, output('stdout', 'goodbye\n'), { event: 'ended', reason: 'stopped' }).end()
  })
  const io = makeIo()
  const running = start(io, 'run', 'app')
  await expect.poll(() => io.out).toBe('up\n')
  io.interrupt()
  expect(await running).toBe(14)
  expect(io.out).toBe('up\ngoodbye\n')
  expect(io.err).toBe('Stopping app... (press Ctrl-C again to leave at once)\n')
})

test('run: a second Ctrl-C closes the connection, which ends the container', async () => {
  const { api, io: makeIo, start } = harness()
  let closed = false
  api.on('POST /v1/runs', (_request, response) => {
    response.on('close', () => (closed = true))
    events(response, { event: 'started', run: RUN, ports: [] }, output('stdout', 'up'))
  })
  api.on(`POST /v1/runs/${RUN}/stop`, (_request, response) => void response.writeHead(204).end())
  const io = makeIo()
  const running = start(io, 'run', 'app')
  await expect.poll(() => io.out).toBe('up')
  io.interrupt()
  io.interrupt()
  expect(await running).toBe(14)
  await expect.poll(() => closed).toBe(true)
})

test.each([
  ['timeout', 11],
  ['out-of-memory', 12],
  ['disk-full', 12],
  ['pids-limit', 12],
  ['stopped', 14],
  ['engine-lost: gone', 1],
])('run: a program that the daemon ends for %s is exit code %i', async (reason, expected) => {
  const { api, run } = harness()
  api.on('POST /v1/runs', (_request, response) => {
    events(response, { event: 'started', run: RUN, ports: [] }, { event: 'ended', reason }).end()
  })
  const { code, io } = await run('run', 'app')
  expect(code).toBe(expected)
  expect(io.err).toContain('app was stopped: ')
})

test('run: a lost connection to the daemon is exit code 3', async () => {
  const { api, run } = harness()
  api.on(
    'POST /v1/runs',
    (_request, response) => void events(response, { event: 'started', run: RUN, ports: [] }).end(),
  )
  expect((await run('run', 'app')).code).toBe(3)
})

test('node doctor exits with 1 when something is bad', async () => {
  const { api, run } = harness()
  const report: DoctorReport = { findings: [{ subject: 'overlay', verdict: 'slow', message: 'Works, slowly.' }] }
  api.on('GET /v1/node/doctor', () => report)
  const { code, io } = await run('node', 'doctor')
  expect([code, io.out]).toEqual([0, 'slow  overlay: Works, slowly.\n'])
  report.findings.push({ subject: 'iptables', verdict: 'bad', message: 'Not there: install iptables.' })
  expect((await run('node', 'doctor')).code).toBe(1)
})

test('run -i passes standard input to the program, and ends with it', async () => {
  const { api, io: makeIo, start } = harness()
  let runResponse: ServerResponse | undefined
  api
    .on('POST /v1/runs', (_request, response) => {
      runResponse = events(response, { event: 'started', run: RUN, ports: [] })
    })
    .on(`POST /v1/runs/${RUN}/input`, ({ body }, response) => {
      response.writeHead(204).end()
      events(runResponse!, output('stdout', `read ${body.toString()}`), {
        event: 'ended',
        exit_code: 0,
        reason: 'exited',
      }).end()
    })
  const io = makeIo()
  const running = start(io, 'run', 'app', '-i')
  io.stdin.write('one ')
  io.stdin.end('two')
  expect(await running).toBe(0)
  expect(io.out).toBe('read one two')
  expect(api.sent('POST /v1/runs')).toEqual({ package: 'package::/::app', input: true })
})

test('run -i ends with the program, also while standard input is open', async () => {
  const { api, io: makeIo, start } = harness()
  api.on('POST /v1/runs', (_request, response) => {
    events(response, { event: 'started', run: RUN, ports: [] })
    setImmediate(() => events(response, { event: 'ended', exit_code: 3, reason: 'exited' }).end())
  })
  const io = makeIo()
  expect(await start(io, 'run', 'app', '-i')).toBe(3)
  expect(io.stdin.destroyed).toBe(true)
})
