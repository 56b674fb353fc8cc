import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import type { ShellEvent } from '../../daemon/documents/kept.js'
import { useHarness } from './support/harness.js'

const harness = useHarness()
const STAGING = '5f0c6d0e-9a3f-4c55-8d0b-0d8cf1a5a6a7'
const SHELL = '7c9e6679-7425-40de-944b-e07fc1f90ae7'
const SHELLS = `/v1/stagings/${STAGING}/shells`

function send(response: ServerResponse, ...events: readonly ShellEvent[]): ServerResponse {
  for (const event of events) response.write(`${JSON.stringify(event)}\n`)
  return response
}

const started: ShellEvent = { event: 'started', shell: SHELL }
const output = (stream: 'stdout' | 'stderr', text: string): ShellEvent => ({
  event: 'output',
  stream,
  data: Buffer.from(text).toString('base64'),
})

test('staging shell passes a command on, prints both streams, and exits with the exit code of the command', async () => {
  const { api, run } = harness()
  api.on(`POST ${SHELLS}/${SHELL}/input`, (_request, response) => void response.writeHead(204).end())
  api.on(`POST ${SHELLS}`, (_request, response) => {
    send(response, started, output('stdout', 'out'), output('stderr', 'err'), { event: 'ended', exit_code: 7 }).end()
  })
  const { code, io } = await run('staging', 'shell', STAGING, '--', 'ls', '-l')
  expect(code).toBe(7)
  expect([io.out, io.err]).toEqual(['out', 'err'])
  expect(api.sent(`POST ${SHELLS}`)).toEqual({ command: ['ls', '-l'] })
  const json = await run('staging', 'shell', STAGING, '--json', '--', 'ls')
  expect(json.io.document()).toEqual({ exit_code: 7 })
})

test('staging shell without a terminal passes standard input on, to its end', async () => {
  const { api, io: makeIo, start } = harness()
  let shell: ServerResponse | undefined
  api.on(`POST ${SHELLS}`, (_request, response) => {
    shell = send(response, started)
  })
  api.on(`POST ${SHELLS}/${SHELL}/input`, ({ body }, response) => {
    response.writeHead(204).end()
    send(shell!, output('stdout', `read ${body.toString()}`), { event: 'ended', exit_code: 0 }).end()
  })
  const io = makeIo()
  const running = start(io, 'staging', 'shell', STAGING)
  io.stdin.end('ls\n')
  expect(await running).toBe(0)
  expect(io.out).toBe('read ls\n')
  expect(api.sent(`POST ${SHELLS}`)).toEqual({})
})

test('staging shell on a terminal has its type and size, and restores it at the end', async () => {
  const { api, io: makeIo, start } = harness()
  let shell: ServerResponse | undefined
  api.on(`POST ${SHELLS}`, (_request, response) => {
    shell = send(response, started, output('stdout', '$ '))
  })
  api.on(`PUT ${SHELLS}/${SHELL}/size`, (_request, response) => void response.writeHead(204).end())
  const io = makeIo({ terminal: true, columns: 91, env: { TERM: 'xterm-256color' } })
  Object.assign(io.stdout, { rows: 33 })
  const running = start(io, 'staging', 'shell', STAGING)
  await expect.poll(() => io.out).toBe('$ ')
  expect(io.isRaw).toBe(true)
  expect(api.sent(`POST ${SHELLS}`)).toEqual({ terminal: { type: 'xterm-256color', columns: 91, rows: 33 } })
  io.resize(40, 20)
  await expect.poll(() => api.requested).toContain(`PUT ${SHELLS}/${SHELL}/size`)
  expect(api.sent(`PUT ${SHELLS}/${SHELL}/size`)).toEqual({ columns: 40, rows: 20 })
  send(shell!, { event: 'ended', message: 'The kept container was released after 15m.' }).end()
  expect(await running).toBe(14)
  expect(io.isRaw).toBe(false)
  expect(io.err).toContain('The kept container was released after 15m.')
})

test('staging shell sends one size at a time, and then the latest', async () => {
  const { api, io: makeIo, start } = harness()
  let shell: ServerResponse | undefined
  const asked: ServerResponse[] = []
  api.on(`POST ${SHELLS}`, (_request, response) => {
    shell = send(response, started, output('stdout', '$ '))
  })
  api.on(`PUT ${SHELLS}/${SHELL}/size`, (_request, response) => void asked.push(response))
  const io = makeIo({ terminal: true, columns: 91 })
  const running = start(io, 'staging', 'shell', STAGING)
  await expect.poll(() => io.out).toBe('$ ')
  expect(asked).toEqual([])
  for (const columns of [50, 60, 40]) io.resize(columns, 20)
  await expect.poll(() => asked.length).toBe(1)
  asked[0]?.writeHead(204).end()
  await expect.poll(() => asked.length).toBe(2)
  const sizes = api.requests.filter(({ path }) => path.endsWith('/size')).map(({ body }) => body.toString())
  expect(sizes.map((size) => JSON.parse(size) as unknown)).toEqual([
    { columns: 50, rows: 20 },
    { columns: 40, rows: 20 },
  ])
  asked[1]?.writeHead(204).end()
  send(shell!, { event: 'ended', exit_code: 0 }).end()
  expect(await running).toBe(0)
})

test.each([
  ['the daemon is lost', 3],
  ['the terminal is lost', 14],
] as const)('staging shell restores the terminal when %s', async (what, expected) => {
  const { api, io: makeIo, start } = harness()
  api.on(`POST ${SHELLS}`, (_request, response) => void send(response, started, output('stdout', '$ ')))
  const io = makeIo({ terminal: true })
  const running = start(io, 'staging', 'shell', STAGING)
  await expect.poll(() => io.out).toBe('$ ')
  if (what === 'the daemon is lost') await api.stop()
  else io.interrupt('hangup')
  expect(await running).toBe(expected)
  expect(io.isRaw).toBe(false)
})

test('staging release removes a kept container', async () => {
  const { api, run } = harness()
  api.on(`POST /v1/stagings/${STAGING}/release`, (_request, response) => void response.writeHead(204).end())
  const { code, io } = await run('staging', 'release', STAGING)
  expect(code).toBe(0)
  expect(io.out).toBe(`Released the kept container of staging ${STAGING}.\n`)
})

test('--keep-failed takes at most a day', async () => {
  const { run } = harness()
  const { code, io } = await run('stage', '.', '--keep-failed', '25h')
  expect(code).toBe(2)
  expect(io.err).toContain('at most a day')
})
