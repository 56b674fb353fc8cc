import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Package } from '../../daemon/documents/package.js'
import type { Cause } from '../../daemon/documents/staging.js'
import {
  aDetection,
  aPackage,
  aPipeline,
  aStager,
  aStaging,
  ended,
  line,
  PACKAGE_ID,
  PIPELINE_ID,
  STAGING_ID,
} from './support/documents.js'
import { zipOf } from '../support/zip-builder.js'
import { EventStream } from './support/event-stream.js'
import { FakeProblem, notFound, takeResource, type FakeApi } from './support/fake-api.js'
import { useHarness } from './support/harness.js'
import { names, readTar } from './support/read-tar.js'
import { writeTree } from './support/workspace.js'

const harness = useHarness()

/** A daemon with the pipeline static-site and no package, whose stagings write three lines. */
function staging(api: FakeApi, outcome = ended('succeeded')): FakeApi {
  return api
    .on('GET /v1/packages/:ref', () => notFound('package'))
    .on('GET /v1/stagingpipelines/:ref', ({ parameters }) =>
      parameters['ref'] === 'stagpipe::/::static-site' ? aPipeline() : notFound('pipeline'),
    )
    .on('GET /v1/stagingpipelines', () => [aPipeline()])
    .on('POST /v1/detections', () => aDetection())
    .on('GET /v1/stagers', () => [])
    .on('POST /v1/resources', takeResource)
    .on('POST /v1/packages', () => aPackage({ state: 'uploaded' }))
    .on('POST /v1/stagings', () => aStaging())
    .on('GET /v1/stagings/:uuid/log', (_request, response) => {
      new EventStream(response)
        .lines(
          line(1, "Launching instance of stager 'static-site'..."),
          line(2, 'hello'),
          line(3, 'Staging is complete.'),
        )
        .end(outcome)
    })
}

const site = () => writeTree(path.join(harness().root, 'site'), { 'index.html': '<h1>hi</h1>', 'css/a.css': '' })

describe('stage DIR', () => {
  test('packs, uploads, creates the package, stages it and prints the log', async () => {
    const { api, run } = harness()
    staging(api)
    const { code, io } = await run('stage', await site(), '--depends-on', 'os.debian', '-e', 'TITLE=a=b')

    expect(io.out).toBe(
      "[staging] Launching instance of stager 'static-site'...\n[staging] hello\n[staging] Staging is complete.\n",
    )
    expect(io.err.replace(/\d+ B in \d+\.\d s/g, '… B in … s')).toBe(
      [
        'The pipeline is stagpipe::/::static-site, because index.html is there.',
        'Packed … B in … s.',
        'Uploaded … B in … s.',
        "Stager 'static-site' ran for 11.3 s.",
        'package::/::app is ready, after 12.3 s.\n',
      ].join('\n'),
    )
    expect(code).toBe(0)
    const upload = api.requests.find(({ path }) => path === '/v1/resources')
    expect(names(await readTar([upload!.body]))).toEqual(['css/', 'css/a.css', 'index.html'])
    expect(api.sent('POST /v1/packages')).toEqual({
      namespace: '/',
      name: 'site',
      resource: upload!.query.get('sha256'),
      state: 'uploaded',
      dependencies: [{ type: 'os', name: 'debian' }],
      environment: { TITLE: 'a=b' },
    })
    expect(api.sent('POST /v1/stagings')).toEqual({
      package: PACKAGE_ID,
      pipeline: PIPELINE_ID,
      source: { resource: upload!.query.get('sha256') },
    })
  })

  test('asks for a runtime before anything is packed, and makes it a dependency', async () => {
    const { api, run } = harness()
    staging(api).on('POST /v1/packages/resolution', () => ({}))
    expect((await run('stage', await site(), '--runtime', 'node-20')).code).toBe(0)
    const runtime = { type: 'runtime', name: 'node-20' }
    expect(api.sent('POST /v1/packages/resolution')).toEqual({ namespace: '/', dependencies: [runtime] })
    expect(api.sent('POST /v1/packages')).toMatchObject({ dependencies: [runtime] })
  })

  test('a runtime that is not there ends with the word of the daemon, and nothing is uploaded', async () => {
    const { api, run } = harness()
    staging(api).on('POST /v1/packages/resolution', () => {
      throw new FakeProblem(422, 'unresolved', 'nothing provides runtime.node-99, but there is runtime.node-18')
    })
    const { code, io } = await run('stage', await site(), '--runtime', 'node-99')
    expect(code).toBe(13)
    expect(io.err).toContain('but there is runtime.node-18')
    expect(api.requested).not.toContain('POST /v1/resources')
  })

  test('says the name that it chose where the name of the directory is none', async () => {
    const { api, root, run } = harness()
    staging(api)
    const directory = await writeTree(path.join(root, 'caf\u00e9 (2)'), { 'index.html': '' })
    const { code, io } = await run('stage', directory)
    expect(code).toBe(0)
    expect(api.sent('POST /v1/packages')).toMatchObject({ name: 'cafe-2' })
    expect(io.err).toContain('The package is named "cafe-2"')
  })

  test.each([
    ['https://git.example.com/team/app.git', 'source-is-url', 'clone it first'],
    ['https://github.com/team/app', 'source-is-url', 'clone it first'],
    ['git@git.example.com:team/app.git', 'source-is-url', 'clone it first'],
    ['ssh://git@git.example.com/team/app', 'source-is-url', 'clone it first'],
    ['git+https://git.example.com/app', 'source-is-url', 'clone it first'],
    ['https://example.com/app.tar.gz', 'source-is-url', 'download it first'],
    ['no/such', 'no-such-source', 'There is no "no/such"'],
    ['x'.repeat(5000), 'source-unreadable', 'too long'],
    ['/', 'not-a-source', 'the root of this host'],
    ['/dev/null', 'not-a-source', 'neither a directory nor a file'],
  ])('%.40s is no source (%s)', async (source, _code, message) => {
    const { api, run } = harness()
    const { code, io } = await run('stage', source)
    expect(code).toBe(4)
    expect(io.err).toContain(message)
    expect(io.err).not.toMatch(/E[A-Z]{4,}/)
    expect(api.requested).toEqual([])
  })

  test('a zip is uploaded as a tarball', async () => {
    const { api, root, run } = harness()
    staging(api)
    await writeFile(path.join(root, 'site.zip'), await zipOf([['index.html', '<h1>hi</h1>']], true))
    const { code } = await run('stage', path.join(root, 'site.zip'), '--pipeline', 'static-site')
    expect(code).toBe(0)
    const upload = api.requests.find(({ path }) => path === '/v1/resources')
    expect(names(await readTar([upload!.body]))).toEqual(['index.html'])
    expect(api.sent('POST /v1/packages')).toMatchObject({ name: 'site' })
  })

  test('--output into a missing directory is rejected before the upload', async () => {
    const { api, run } = harness()
    staging(api)
    const { code, io } = await run('stage', await site(), '--output', 'no/such/directory/site.tar.gz')
    expect(code).toBe(4)
    expect(io.err).toMatch(/There is no directory ".*no\/such\/directory": create it first\./)
    expect(api.requested).not.toContain('POST /v1/resources')
  })

  test('again, the package gets new data, and its dependencies are replaced', async () => {
    const { api, run } = harness()
    const old = aPackage({ dependencies: [{ type: 'runtime', name: 'node-18' }], state: 'failed' })
    staging(api)
      .on('GET /v1/packages/:ref', () => old)
      .on('PATCH /v1/packages/:ref', () => old)
      .on('PUT /v1/packages/:ref/resource', () => old)
    const { code } = await run('stage', await site(), '--depends-on', 'runtime.node-20', '-e', 'A=b')
    expect(code).toBe(0)
    expect(api.requested).not.toContain('POST /v1/packages')
    expect(api.sent(`PATCH /v1/packages/${PACKAGE_ID}`)).toEqual({
      dependencies_add: [{ type: 'runtime', name: 'node-20' }],
      dependencies_remove: [{ type: 'runtime', name: 'node-18' }],
      environment_set: { A: 'b' },
    })
    expect(api.sent(`PUT /v1/packages/${PACKAGE_ID}/resource`)).toMatchObject({ state: 'uploaded' })
  })

  test('a package that is being staged is not changed', async () => {
    const { api, run } = harness()
    staging(api).on('GET /v1/packages/:ref', () => aPackage({ state: 'staging' }))
    const { code, io } = await run('stage', await site())
    expect(code).toBe(4)
    expect(io.err).toContain('is being staged: wait for the staging, or cancel it')
    expect(api.requested).not.toContain('POST /v1/resources')
  })

  test('a package that holds the program of a stager is not changed', async () => {
    const { api, run } = harness()
    staging(api)
      .on('GET /v1/packages/:ref', () => aPackage({ name: 'site' }))
      .on('GET /v1/stagers', () => [aStager({ name: 'site' })])
    const { code, io } = await run('stage', await site())
    expect(code).toBe(4)
    expect(io.err).toContain('holds the program of job::/::site: choose another name with --name')
    expect(api.requested).not.toContain('POST /v1/resources')
  })

  test('--detach prints only the ID', async () => {
    const { api, run } = harness()
    staging(api)
    const { io } = await run('stage', await site(), '--detach')
    expect(io.out).toBe(`${STAGING_ID}\n`)
    expect(api.requested).not.toContain(`GET /v1/stagings/${STAGING_ID}/log`)
  })

  test('--output downloads the result, and leaves no damaged file', async () => {
    const { api, run, root } = harness()
    const data = Buffer.from('result')
    const document = withData(data)
    let sent = data
    staging(api)
      .on('GET /v1/packages/:ref', ({ parameters }) =>
        parameters['ref'] === PACKAGE_ID ? document : notFound('package'),
      )
      .on('GET /v1/packages/:ref/data', (_request, response) => void response.end(sent))
    const directory = await site()
    expect((await run('stage', directory, '--output', 'out.tar.gz')).code).toBe(0)
    expect(await readFile(path.join(root, 'out.tar.gz'))).toEqual(data)

    sent = Buffer.from('damage')
    const { code, io } = await run('stage', directory, '--output', 'other.tar.gz')
    expect(code).toBe(1)
    expect(io.err).toContain('has the digest sha256:')
    expect((await readdir(root)).sort()).toEqual(['api.sock', 'cache', 'out.tar.gz', 'site'])
  })

  test('--json prints only the ended staging', async () => {
    const { api, run } = harness()
    staging(api, ended('failed', 'timeout'))
    const { code, io } = await run('stage', await site(), '--json')
    expect(io.document()).toEqual(ended('failed', 'timeout'))
    expect(code).toBe(11)
  })
})

test('stage TARBALL uploads the file unchanged', async () => {
  const { api, run, root } = harness()
  staging(api)
  await writeFile(path.join(root, 'site.tar.xz'), 'whatever it is')
  const { code } = await run('stage', 'site.tar.xz', '--pipeline', 'static-site')
  expect(code).toBe(0)
  expect(api.requests.find(({ path }) => path === '/v1/resources')?.body.toString()).toBe('whatever it is')
  expect(api.sent('POST /v1/packages')).toMatchObject({ name: 'site' })

  const { code: without, io } = await run('stage', 'site.tar.xz')
  expect(without).toBe(4)
  expect(io.err).toContain('stagpipe::/::static-site')
})

describe('the outcome of a staging is the exit code', () => {
  const codes: Record<Cause, number> = {
    'stager-failed': 10,
    'no-verdict': 10,
    'not-runnable': 10,
    'relaunch-limit': 10,
    timeout: 11,
    'out-of-memory': 12,
    'disk-full': 12,
    'pids-limit': 12,
    'data-limit': 12,
    unresolved: 13,
    policy: 5,
    'fetch-failed': 4,
    infrastructure: 1,
  }

  test.each(Object.entries(codes) as [Cause, number][])('%s: %i', async (cause, expected) => {
    const { api, run } = harness()
    staging(api, ended('failed', cause))
    const { code, io } = await run('stage', await site())
    expect(code).toBe(expected)
    // Only the log contains the hint.
    expect(io.err.split('\n').slice(-2)).toEqual([
      `The staging of package::/::app failed (${cause}), after 12.3 s: staging ${STAGING_ID}.`,
      '',
    ])
    expect(io.err).not.toContain('Correct it.')
  })

  test('a cause that only a newer daemon knows: 1', async () => {
    const { api, run } = harness()
    staging(api, ended('failed', 'cause-of-a-newer-daemon' as Cause))
    expect((await run('stage', await site())).code).toBe(1)
  })

  test('cancelled by another client: 14', async () => {
    const { api, run } = harness()
    staging(api, ended('cancelled'))
    expect((await run('stage', await site())).code).toBe(14)
  })
})

describe('an error response of the daemon is the exit code', () => {
  test.each([
    [400, 4],
    [404, 4],
    [409, 4],
    [413, 4],
    [403, 5],
    [422, 13],
    [500, 1],
    [503, 1],
  ])('status %i: %i', async (status, expected) => {
    const { api, run } = harness()
    staging(api).on('POST /v1/stagings', () => {
      throw new FakeProblem(status, 'some-code', 'Not like this: like that.')
    })
    const { code, io } = await run('stage', await site(), '--json')
    expect(code).toBe(expected)
    expect(io.err).toMatch(/^stagectl: Not like this: like that\.\n$/m)
    expect(io.document()).toEqual({ error: { code: 'some-code', message: 'Not like this: like that.' } })
  })
})

describe('Ctrl-C', () => {
  test('while following cancels the staging and follows it to its end', async () => {
    const { api, io: makeIo, start } = harness()
    let stream: EventStream | undefined
    staging(api)
      .on(
        'GET /v1/stagings/:uuid/log',
        (_request, response) => void (stream = new EventStream(response).lines(line(1, 'hi'))),
      )
      .on('POST /v1/stagings/:uuid/cancel', () => {
        stream!.lines(line(2, 'Cancelled.')).end(ended('cancelled'))
        return aStaging({ state: 'running' })
      })
    const io = makeIo()
    const running = start(io, 'stage', await site())
    await expect.poll(() => io.out).toContain('hi')
    io.interrupt()
    expect(await running).toBe(14)
    expect(io.out).toBe('[staging] hi\n[staging] Cancelled.\n')
    expect(io.err).toContain(`Cancelling staging ${STAGING_ID}...`)
  })

  test('twice leaves at once', async () => {
    const { api, io: makeIo, start } = harness()
    staging(api)
      .on('GET /v1/stagings/:uuid/log', (_request, response) => void new EventStream(response).lines(line(1, 'hi')))
      .on('POST /v1/stagings/:uuid/cancel', () => undefined)
    const io = makeIo()
    const running = start(io, 'stage', await site())
    await expect.poll(() => io.out).toContain('hi')
    io.interrupt()
    await expect.poll(() => io.err).toContain('Cancelling')
    io.interrupt()
    expect(await running).toBe(14)
  })

  test('while downloading leaves no file', async () => {
    const { api, io: makeIo, start, root } = harness()
    api
      .on('GET /v1/packages/:ref', () => withData(Buffer.from('abc')))
      .on('GET /v1/packages/:ref/data', (_request, response) => void response.writeHead(200).write('ab'))
    const io = makeIo()
    const running = start(io, 'package', 'download', 'app', '-f', 'app.tar.gz')
    await expect.poll(async () => (await readdir(root)).some((name) => name.endsWith('.part'))).toBe(true)
    io.interrupt()
    expect(await running).toBe(14)
    expect(await readdir(root)).toEqual(['api.sock'])
  })
})

function withData(data: Buffer): Package {
  const digest = `sha256:${createHash('sha256').update(data).digest('hex')}`
  return aPackage({
    resource: { uuid: PACKAGE_ID, digest, length: data.length, compression: 'gzip', removals: 0 },
  })
}
