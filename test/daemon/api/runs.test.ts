import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { linesOf } from '../../../base/lines-of.js'
import { Conflict } from '../../../base/errors.js'
import type { RunEvent } from '../../../daemon/documents/run.js'
import { runRoutes } from '../../../daemon/api/routes/runs.js'
import { RunningPrograms } from '../../../daemon/runs/running-programs.js'
import { documentOf, openRoutes, until, type ApiClient } from './api-client.js'
import { FakeRuns } from './fake-runs.js'

const draft = { package: 'package::/acme::app' }

describe('runs over the API', () => {
  let runs: FakeRuns
  let under: ApiClient
  beforeEach(async () => {
    runs = new FakeRuns()
    under = await openRoutes((api, closing) =>
      runRoutes(api, { runs, running: new RunningPrograms(), self: 'this-node' }, closing),
    )
  })
  afterEach(() => under.close())

  const start = async (body: object) => {
    const { request, answer } = await under.connect('POST', '/v1/runs', { 'content-type': 'application/json' })
    request.end(JSON.stringify(body))
    return { request, answer: await answer }
  }

  it('are streamed from the start to the end, in that order', async () => {
    // A program may write before its start is known.
    let early: Promise<void> | undefined
    runs.starting = (hooks) => void (early = hooks.output('stdout', Buffer.from('early')))
    const { answer } = await start({
      ...draft,
      command: 'node server.js',
      environment: { A: '1' },
      publish: [
        { container_port: 80, host_port: 8080 },
        { container_port: 81, host_port: 0 },
      ],
      limits: { pids: 7 },
    })
    expect(answer).toMatchObject({ statusCode: 200, headers: { 'content-type': 'application/x-ndjson' } })
    await early
    await runs.output('stderr', Buffer.of(0xff, 0x00))
    runs.end({ exitCode: 3, reason: 'exited' })
    const events: RunEvent[] = []
    for await (const line of linesOf(answer)) events.push(JSON.parse(line) as RunEvent)
    expect(events).toEqual([
      { event: 'started', run: runs.id, node: 'this-node', ports: [8080, 40_000] },
      { event: 'output', stream: 'stdout', data: Buffer.from('early').toString('base64') },
      { event: 'output', stream: 'stderr', data: '/wA=' },
      { event: 'ended', exit_code: 3, reason: 'exited' },
    ])
    expect(runs.request).toEqual({
      package: { namespace: '/acme', name: 'app' },
      command: 'node server.js',
      input: false,
      environment: { A: '1' },
      publish: [
        { containerPort: 80, hostPort: 8080 },
        { containerPort: 81, hostPort: 0 },
      ],
      egress: false,
      limits: { pids: 7 },
    })
  })

  it('get the input of the client, once, if they were started for it', async () => {
    const send = async (content: string) => {
      const headers = { 'content-type': 'application/octet-stream' }
      const { request, answer } = await under.connect('POST', `/v1/runs/${runs.id}/input`, headers)
      request.write(content)
      request.end()
      return await answer
    }
    expect(await documentOf(await send('x'))).toMatchObject({ status: 404, code: 'run-not-found' })
    await start({ ...draft, input: true })
    expect(runs.request).toMatchObject({ input: true })
    const answer = await send('one')
    answer.resume()
    expect([answer.statusCode, runs.input]).toEqual([204, 'one'])
    expect(await documentOf(await send('again'))).toMatchObject({ status: 409, code: 'no-input' })
  })

  it('end when the client closes the connection', async () => {
    const { request, answer } = await start(draft)
    answer.on('error', () => undefined)
    request.destroy()
    await until('the program is stopped', () => runs.stops > 0)
    // Output without a reader does not block the program.
    await runs.output('stdout', Buffer.alloc(1_000_000))
  })

  it('end on request, and their last events are still sent', async () => {
    const { answer } = await start(draft)
    const events = linesOf(answer)
    await events.next()
    const { id } = runs
    expect((await under.ask('POST', `/v1/runs/${id}/stop`)).status).toBe(204)
    expect(JSON.parse(String((await events.next()).value))).toEqual({ event: 'ended', reason: 'stopped' })
    expect((await events.next()).done).toBe(true)
    const again = await under.ask('POST', `/v1/runs/${id}/stop`)
    expect(again.document).toMatchObject({ status: 404, code: 'run-not-found' })
  })

  it('end when the daemon stops', async () => {
    const { answer } = await start(draft)
    answer.on('error', () => undefined).resume()
    await under.api.close()
    expect(runs.stops).toBe(1)
  })

  it('that cannot start are refused with a problem document', async () => {
    runs.starting = () => Promise.reject(new Conflict('package-not-ready', 'It is not ready.'))
    const { answer } = await start(draft)
    expect(answer.statusCode).toBe(409)
    expect(await documentOf(answer)).toMatchObject({ code: 'package-not-ready' })
  })

  it.each([
    [{}, 'bad-document'],
    [{ ...draft, environment: { 'A=B': 'x' } }, 'bad-environment-key'],
    [{ ...draft, command: ' ' }, 'bad-command'],
    [{ ...draft, publish: [{ container_port: 0, host_port: 1 }] }, 'bad-document'],
    [{ package: 'app' }, 'bad-ref'],
  ])('of %j are refused', async (body, code) => {
    expect((await under.ask('POST', '/v1/runs', body)).document).toMatchObject({ status: 400, code })
    expect(runs.request).toBeUndefined()
  })
})
