import { Writable } from 'node:stream'
import { describe, expect, test, vi } from 'vitest'
import { OutputStream } from '../../cli/terminal/output-stream.js'
import type { CapturedIo } from './support/captured-io.js'
import { aDetection, aPackage, aPipeline, aStaging, ended, line, STAGING_ID } from './support/documents.js'
import { EventStream } from './support/event-stream.js'
import { takeResource, type FakeApi } from './support/fake-api.js'
import { useHarness } from './support/harness.js'
import { writeTree } from './support/workspace.js'
import path from 'node:path'

const harness = useHarness()

const ERRORS = { EPIPE: -32, ENOSPC: -28 } as const

/** A stream that fails like a closed pipe or a full disk: through the callback and as an event. */
function failing(code: keyof typeof ERRORS): Writable {
  return new Writable({
    write: (_chunk, _encoding, done) =>
      done(Object.assign(new Error(`write ${code}`), { code, errno: ERRORS[code], syscall: 'write' })),
  })
}

/** The same, where a write throws, as that of a file does in some versions of Node.js. */
function throwing(code: keyof typeof ERRORS): Writable {
  return Object.assign(new Writable(), {
    write: () => {
      throw Object.assign(new Error(`write ${code}`), { code, errno: ERRORS[code], syscall: 'write' })
    },
  })
}

function without(io: CapturedIo, stdout: Writable, stderr: Writable = io.stderr): CapturedIo {
  return Object.assign(io, { stdout, stderr })
}

function stagingFake(api: FakeApi, outcome = ended('succeeded')): FakeApi {
  return api
    .on('GET /v1/packages/:ref', () => aPackage())
    .on('GET /v1/stagers', () => [])
    .on('POST /v1/detections', () => aDetection())
    .on('GET /v1/stagingpipelines/:ref', () => aPipeline())
    .on('PUT /v1/packages/:ref/resource', () => aPackage())
    .on('POST /v1/stagings', () => aStaging())
    .on('POST /v1/resources', takeResource)
    .on('GET /v1/stagings/:uuid/log', (_request, response) => {
      new EventStream(response).lines(line(1, 'one'), line(2, 'two')).end(outcome)
    })
}

const site = () => writeTree(path.join(harness().root, 'site'), { 'index.html': '' })

describe('a staging whose output nobody takes', () => {
  const streams = [
    ['a closed pipe', () => failing('EPIPE')],
    ['a full disk', () => failing('ENOSPC')],
    ['a full disk, of which a write throws', () => throwing('ENOSPC')],
  ] as const

  test.each(streams)('goes on with %s as stdout; the exit code is that of the staging', async (_what, stdout) => {
    const { api, io, start } = harness()
    stagingFake(api)
    const source = await site()
    const captured = without(io(), stdout())
    expect(await start(captured, 'stage', source)).toBe(0)
    expect(captured.err).toContain(`The staging goes on; its log: \`stagectl staging logs ${STAGING_ID}\`.`)
    expect(captured.err).toContain('package::/::app is ready')

    stagingFake(api, ended('failed', 'timeout'))
    expect(await start(without(io(), stdout()), 'stage', source)).toBe(11)
    expect(await start(without(io(), stdout()), 'stage', source, '--json')).toBe(11)
    expect(await start(without(io(), stdout()), 'staging', 'logs', STAGING_ID, '--follow')).toBe(11)
  })

  test.each(streams)('goes on with %s as stdout and stderr', async (_what, stream) => {
    const { api, io, start } = harness()
    stagingFake(api, ended('failed', 'out-of-memory'))
    expect(await start(without(io(), stream(), stream()), 'stage', await site())).toBe(12)
  })

  test('tells that the document of --json is lost', async () => {
    const { api, io, start } = harness()
    stagingFake(api)
    const captured = without(io(), failing('ENOSPC'))
    expect(await start(captured, 'stage', await site(), '--json')).toBe(0)
    expect(captured.err).toContain('Standard output cannot be written (the disk is full)')
  })
})

describe('a result that nobody takes', () => {
  test('is no error when the reader has closed the pipe', async () => {
    const { api, io, start } = harness()
    api.on('GET /v1/packages', () => [aPackage()])
    const captured = without(io(), failing('EPIPE'))
    expect(await start(captured, 'package', 'list')).toBe(0)
    expect(captured.err).toBe('')
  })

  test.each([[['package', 'list']], [['package', 'list', '--json']], [['--help']], [['staging', 'logs', STAGING_ID]]])(
    '%j is an error when the disk is full, told in one sentence',
    async (argv) => {
      const { api, io, start } = harness()
      stagingFake(api).on('GET /v1/packages', () => [aPackage()])
      const captured = without(io(), failing('ENOSPC'))
      expect(await start(captured, ...argv)).toBe(4)
      expect(captured.err).toBe(
        'stagectl: Standard output cannot be written (the disk is full): send it to a file or a pipe that takes it.\n',
      )
    },
  )

  test('ends a download and a log that is not followed', async () => {
    const { api, io, start } = harness()
    let closed = false
    api
      .on('GET /v1/packages/:ref', () => aPackage())
      .on('GET /v1/packages/:ref/data', (_request, response) => {
        response.on('close', () => (closed = true))
        response.write('x'.repeat(100))
      })
    expect(await start(without(io(), failing('EPIPE')), 'package', 'download', 'app', '-f', '-')).toBe(0)
    await expect.poll(() => closed).toBe(true)
  })
})

test('a usage error keeps its exit code when stderr is closed', async () => {
  const { io, start } = harness()
  const captured = io()
  expect(await start(without(captured, captured.stdout, failing('EPIPE')), 'stge')).toBe(2)
})

test('a program that is run is stopped when nobody takes its output; the exit code is its own', async () => {
  const { api, io, start } = harness()
  const RUN = '7c9e6679-7425-40de-944b-e07fc1f90ae7'
  api
    .on('GET /v1/packages/:ref', () => aPackage())
    .on('POST /v1/runs', (_request, response) => {
      const event = (document: object) => response.write(`${JSON.stringify(document)}\n`)
      event({ event: 'started', run: RUN, ports: [] })
      event({ event: 'output', stream: 'stdout', data: 'eA==' })
      api.on(`POST /v1/runs/${RUN}/stop`, (_stop, stopped) => {
        stopped.writeHead(204).end()
        event({ event: 'ended', exit_code: 143, reason: 'exited' })
        response.end()
      })
    })
  const captured = without(io(), failing('EPIPE'))
  expect(await start(captured, 'run', 'app')).toBe(143)
  expect(captured.err).toContain('Stopping app: standard output cannot be written.\n')
})

test('a lost terminal ends the client, and the staging goes on', async () => {
  const { api, io, start } = harness()
  stagingFake(api).on(
    'GET /v1/stagings/:uuid/log',
    (_request, response) => void new EventStream(response).lines(line(1, 'one')),
  )
  const captured = io()
  const running = start(captured, 'stage', await site())
  await expect.poll(() => captured.out).toBe('[staging] one\n')
  captured.interrupt('hangup')
  expect(await running).toBe(14)
  expect(api.requested).not.toContain(`POST /v1/stagings/${STAGING_ID}/cancel`)
})

describe('OutputStream', () => {
  test('calls back when the target has taken the text, and discards text after a failure', async () => {
    let takes: (() => void) | undefined
    const slow = new Writable({ write: (_chunk, _encoding, done) => void (takes = done) })
    const stream = new OutputStream(slow)
    const written = vi.fn()
    stream.write('a', written)
    await new Promise((resolve) => setImmediate(resolve))
    expect(written).not.toHaveBeenCalled()
    takes?.()
    await expect.poll(() => written).toHaveBeenCalled()

    const lost = new OutputStream(failing('EPIPE'))
    await new Promise((resolve) => lost.write('a', resolve))
    await new Promise((resolve) => lost.write('b', resolve))
    expect([lost.closedByReader, lost.destroyed]).toEqual([true, false])
  })
})
