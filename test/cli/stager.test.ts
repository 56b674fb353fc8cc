import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { aPackage, aPipeline, aStager, aStaging, ended, line, PACKAGE_ID, STAGER_ID } from './support/documents.js'
import { CapturedIo } from './support/captured-io.js'
import { EventStream } from './support/event-stream.js'
import { FakeProblem, notFound, takeResource, type FakeApi } from './support/fake-api.js'
import { useHarness } from './support/harness.js'
import { names, readTar } from './support/read-tar.js'
import { writeTree } from './support/workspace.js'

const harness = useHarness()
const program = () => writeTree(path.join(harness().root, 'nodejs-stager'), { stager: '#!/bin/sh', 'lib/x': '' })

function empty(api: FakeApi): FakeApi {
  return api
    .on('GET /v1/packages/:ref', () => notFound('package'))
    .on('GET /v1/stagers/:ref', () => notFound('stager'))
    .on('GET /v1/stagingpipelines/:ref', () => notFound('pipeline'))
    .on('POST /v1/resources', takeResource)
    .on('POST /v1/packages', () => aPackage({ name: 'nodejs' }))
    .on('POST /v1/stagers', () => aStager({ name: 'nodejs' }))
    .on('POST /v1/stagingpipelines', () => aPipeline({ name: 'nodejs' }))
}

const uploaded = async (api: FakeApi) =>
  names(await readTar([api.requests.find(({ path }) => path === '/v1/resources')!.body]))

describe('stager create', () => {
  test('takes the program from the current directory without --path', async () => {
    const { api, start } = harness()
    empty(api)
    const io = new CapturedIo(await program())
    expect(await start(io, 'stager', 'create', 'x', '--start-cmd', './stager')).toBe(0)
    expect(await uploaded(api)).toContain('app/stager')
    expect(api.sent('POST /v1/stagers')).toMatchObject({ start_command: './stager' })
  })

  const create = ['stager', 'create', '/apcera::nodejs', '--start-command', './stager run', '--path']

  test('puts the program into a ready package below /app; --pipeline creates a pipeline of the same name', async () => {
    const { api, run } = harness()
    empty(api)
    const { code, io } = await run(
      ...create, await program(), '--depends-on', 'os.debian,runtime.node', '--allow-egress', '--pipeline',
      '--expects', 'runtime.node',
      '--memory', '1GB', '--timeout', '15m', '--cpus', '1.5', '-e', 'NPM_CONFIG_LOGLEVEL=warn', '--user', 'runner',
    ) // prettier-ignore
    expect(io.err).toBe('')
    expect(code).toBe(0)
    expect(await uploaded(api)).toEqual(['app/', 'app/lib/', 'app/lib/x', 'app/stager'])
    expect(api.sent('POST /v1/packages')).toMatchObject({
      namespace: '/apcera',
      name: 'stager-nodejs',
      state: 'ready',
      dependencies: [
        { type: 'os', name: 'debian' },
        { type: 'runtime', name: 'node' },
      ],
    })
    expect(api.sent('POST /v1/stagers')).toEqual({
      namespace: '/apcera',
      name: 'nodejs',
      package: PACKAGE_ID,
      start_command: './stager run',
      allow_egress: true,
      user: 'runner',
      expects: [{ type: 'runtime', name: 'node' }],
      environment: { NPM_CONFIG_LOGLEVEL: 'warn' },
      limits: { memory_bytes: 1024 ** 3, cpus: 1.5, timeout_ms: 900_000 },
    })
    expect(api.sent('POST /v1/stagingpipelines')).toEqual({
      namespace: '/apcera',
      name: 'nodejs',
      stagers: [STAGER_ID],
    })
  })

  test('--staging stages the program without the prefix /app', async () => {
    const { api, run } = harness()
    let outcome = ended('succeeded')
    const staged = aPackage({ name: 'nodejs' })
    empty(api)
      .on('GET /v1/stagingpipelines/:ref', ({ parameters }) =>
        parameters['ref'] === 'stagpipe::/::build' ? aPipeline({ name: 'build' }) : notFound('pipeline'),
      )
      .on('GET /v1/packages/:ref', ({ parameters }) =>
        parameters['ref'] === PACKAGE_ID ? staged : notFound('package'),
      )
      .on('POST /v1/stagings', () => aStaging())
      .on('GET /v1/stagings/:uuid/log', (_request, response) => {
        new EventStream(response).lines(line(1, 'bundling')).end(outcome)
      })
    const directory = await program()
    const { code, io } = await run(...create, directory, '--staging', 'build')
    expect(code).toBe(0)
    expect(io.out).toBe('[staging] bundling\nCreated job::/::nodejs.\n')
    expect(await uploaded(api)).toEqual(['lib/', 'lib/x', 'stager'])
    expect(api.sent('POST /v1/packages')).toMatchObject({ state: 'uploaded' })

    outcome = ended('failed', 'stager-failed')
    const failed = await run(...create, directory, '--staging', 'build', '--json')
    expect(failed.code).toBe(10)
    expect(failed.io.document()).toEqual(outcome)
    expect(api.requested.filter((request) => request === 'POST /v1/stagers')).toHaveLength(1)
  })

  test('of an existing name fails and suggests `stager update`', async () => {
    const { api, run } = harness()
    empty(api).on('GET /v1/stagers/:ref', () => aStager({ name: 'nodejs' }))
    const { code, io } = await run(...create, await program())
    expect(code).toBe(4)
    expect(io.err).toContain('change it with `stagectl stager update /apcera::nodejs`')
    expect(api.requested).not.toContain('POST /v1/resources')
  })

  test('that the daemon rejects leaves no package', async () => {
    const { api, run } = harness()
    empty(api)
      .on('POST /v1/stagers', () => {
        throw new FakeProblem(400, 'bad-user', 'No such user.')
      })
      .on('DELETE /v1/packages/:ref', (_request, response) => void response.writeHead(204).end())
    const { code } = await run(...create, await program())
    expect(code).toBe(4)
    expect(api.requested.at(-1)).toBe(`DELETE /v1/packages/${PACKAGE_ID}`)
  })
})

describe('stager update', () => {
  test('--path replaces the data of the package', async () => {
    const { api, run } = harness()
    const old = aPackage({ name: 'static-site', dependencies: [{ type: 'os', name: 'debian' }] })
    empty(api)
      .on('GET /v1/stagers/:ref', () => aStager())
      .on('GET /v1/packages/:ref', () => old)
      .on('PUT /v1/packages/:ref/resource', () => old)
    const { code } = await run('stager', 'update', 'static-site', '--path', await program())
    expect(code).toBe(0)
    expect(api.sent(`PUT /v1/packages/${PACKAGE_ID}/resource`)).toMatchObject({ state: 'ready' })
    expect(await uploaded(api)).toContain('app/stager')
  })

  test('sends only the given changes', async () => {
    const { api, run } = harness()
    empty(api)
      .on('GET /v1/stagers/:ref', () => aStager())
      .on('PATCH /v1/stagers/:ref', () => aStager())
      .on('PATCH /v1/packages/:ref', () => aPackage())
    await run(
      'stager',
      'update',
      'static-site',
      '--no-allow-egress',
      '--additive',
      '--clean-environment',
      '--timeout',
      '30m',
      '--depends-add',
      'os.x',
      '--expects-add',
      'runtime.node',
      '--expects-remove',
      'runtime.ruby',
    )
    expect(api.sent(`PATCH /v1/stagers/${STAGER_ID}`)).toEqual({
      allow_egress: false,
      additive: true,
      clean_environment: true,
      limits: { timeout_ms: 1_800_000 },
      expects_add: [{ type: 'runtime', name: 'node' }],
      expects_remove: [{ type: 'runtime', name: 'ruby' }],
    })
    expect(api.sent('PATCH /v1/packages/package::/::static-site')).toEqual({
      dependencies_add: [{ type: 'os', name: 'x' }],
    })
  })
})
