import { describe, expect, test } from 'vitest'
import { anyPackage, anyPipeline, aStaging, ended, line, STAGING_ID } from './support/documents.js'
import { EventStream } from './support/event-stream.js'
import { useHarness } from './support/harness.js'

const harness = useHarness()

describe('staging list', () => {
  test('asks for a state, a package, a pipeline, a time and a number', async () => {
    const { api, run } = harness()
    api
      .on('GET /v1/stagings', () => [])
      .on('GET /v1/packages/:ref', anyPackage)
      .on('GET /v1/stagingpipelines/:ref', anyPipeline)
    const { code, io } = await run(
      ...['staging', 'list', '--state', 'failed', '--package', 'app', '--pipeline', '/apcera::nodejs'],
      ...['--since', '2024-05-01T10:00:00+02:00', '--limit', '5'],
    )
    expect([code, io.out]).toEqual([0, 'No stagings.\n'])
    expect(Object.fromEntries(api.requests.at(-1)!.query)).toEqual({
      state: 'failed',
      package: 'package::/::app',
      pipeline: 'stagpipe::/apcera::nodejs',
      since: '2024-05-01T08:00:00.000Z',
      limit: '5',
    })
  })

  test('--since takes an age', async () => {
    const { api, run } = harness()
    api.on('GET /v1/stagings', () => [])
    const before = Date.now()
    await run('staging', 'list', '--since', '2h')
    const since = Date.parse(api.requests[0]!.query.get('since')!)
    expect(since).toBeGreaterThanOrEqual(before - 7_200_000)
    expect(since).toBeLessThanOrEqual(Date.now() - 7_200_000)
  })

  test('--watch prints a line for each change, until Ctrl-C', async () => {
    const { api, io, start } = harness()
    let asked = 0
    api.on('GET /v1/stagings', () => [(asked += 1) < 5 ? aStaging({ state: 'running' }) : ended('succeeded')])
    const captured = io()
    const running = start(captured, 'staging', 'list', '--watch', '--interval', '1ms')
    await expect.poll(() => captured.out).toContain('succeeded')
    captured.interrupt()
    expect(await running).toBe(0)
    expect(captured.out.split('\n').map((line) => line.split('  ').slice(1, 3))).toEqual([
      [STAGING_ID, 'running'],
      [STAGING_ID, 'succeeded'],
      [],
    ])
  })

  test('--watch shows the list again in place on a terminal, when it changes', async () => {
    const { api, io, start } = harness()
    let asked = 0
    api.on('GET /v1/stagings', () => [(asked += 1) < 5 ? aStaging({ state: 'running' }) : ended('succeeded')])
    const captured = io({ terminal: true })
    const running = start(captured, 'staging', 'list', '--watch', '--interval', '1ms')
    await expect.poll(() => captured.out).toContain('succeeded')
    captured.interrupt()
    expect(await running).toBe(0)
    expect(captured.out.split('\x1b[H\x1b[2J').map((list) => /running|succeeded/.exec(list)?.[0])).toEqual([
      undefined,
      'running',
      'succeeded',
    ])
  })
})

describe('the ID of a staging', () => {
  test('can be given by its beginning', async () => {
    const { api, run } = harness()
    api
      .on('GET /v1/stagings', () => [aStaging(), aStaging({ uuid: '5f0c6d0f-9a3f-4c55-8d0b-0d8cf1a5a6a7' })])
      .on('GET /v1/stagings/:uuid', () => aStaging())
    expect((await run('staging', 'show', '5F0C6D0E')).code).toBe(0)
    expect(api.requested.at(-1)).toBe(`GET /v1/stagings/${STAGING_ID}`)
  })

  test('is refused when several begin so', async () => {
    const { api, run } = harness()
    api.on('GET /v1/stagings', () => [aStaging(), aStaging({ uuid: `5f0c6d0e${STAGING_ID.slice(8, -1)}0` })])
    const { code, io } = await run('staging', 'show', '5f0c6d0e')
    expect([code, io.err]).toEqual([
      4,
      'stagectl: Several stagings have an ID that begins with "5f0c6d0e": give more of it.\n',
    ])
  })
})

test('staging logs --timestamps shows the time of each line', async () => {
  const { api, run } = harness()
  api.on('GET /v1/stagings/:uuid/log', (_request, response) => {
    new EventStream(response).lines(line(1, 'one')).end(ended('succeeded'))
  })
  const { io } = await run('staging', 'logs', STAGING_ID, '--timestamps')
  expect(io.out).toBe('2024-05-01T10:00:01.000Z [staging] one\n')
})
