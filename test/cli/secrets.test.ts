import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  aDetection,
  aPackage,
  aPipeline,
  aStager,
  aStaging,
  ended,
  PACKAGE_ID,
  PIPELINE_ID,
  STAGER_ID,
} from './support/documents.js'
import { EventStream } from './support/event-stream.js'
import { notFound, takeResource, type FakeApi } from './support/fake-api.js'
import { useHarness } from './support/harness.js'
import { writeTree } from './support/workspace.js'

const harness = useHarness()

function staging(api: FakeApi): FakeApi {
  return api
    .on('GET /v1/packages/:ref', () => notFound('package'))
    .on('GET /v1/stagingpipelines/:ref', () => aPipeline())
    .on('POST /v1/detections', () => aDetection())
    .on('GET /v1/stagers', () => [])
    .on('POST /v1/resources', takeResource)
    .on('POST /v1/packages', () => aPackage({ state: 'uploaded' }))
    .on('POST /v1/stagings', () => aStaging())
    .on('GET /v1/stagings/:uuid/log', (_request, response) => new EventStream(response).end(ended('succeeded')))
}

const site = () => writeTree(path.join(harness().root, 'site'), { 'index.html': '<h1>hi</h1>' })
const base64 = (text: string) => Buffer.from(text).toString('base64')
const sent = () => (harness().api.sent('POST /v1/stagings') as { secrets?: Record<string, string> }).secrets

describe('stage --secret', () => {
  test('takes values from a file, from the environment, and from standard input, byte for byte', async () => {
    const { api, io, start, root } = harness()
    staging(api)
    await writeFile(path.join(root, 'key'), 'a key\nof two lines\n')
    const captured = io({ env: { NPM_TOKEN: 'from the environment' } })
    captured.stdin.end('from standard input\n')
    const options = ['--secret', 'id_rsa=key', '--secret', 'NPM_TOKEN', '--secret', 'other']
    expect(await start(captured, 'stage', await site(), ...options)).toBe(0)
    expect(sent()).toEqual({
      id_rsa: base64('a key\nof two lines\n'),
      NPM_TOKEN: base64('from the environment'),
      other: base64('from standard input\n'),
    })
    expect(captured.out + captured.err).not.toMatch(/a key|from the env|from standard/)
  })

  test('takes standard input for =-, whatever the environment has', async () => {
    const { api, io, start } = harness()
    staging(api)
    const captured = io({ env: { NPM_TOKEN: 'from the environment' } })
    captured.stdin.end('typed')
    expect(await start(captured, 'stage', await site(), '--secret', 'NPM_TOKEN=-')).toBe(0)
    expect(sent()).toEqual({ NPM_TOKEN: base64('typed') })
  })

  test('sends none without the option', async () => {
    const { api, run } = harness()
    staging(api)
    expect((await run('stage', await site())).code).toBe(0)
    expect(api.sent('POST /v1/stagings')).toEqual({
      package: PACKAGE_ID,
      pipeline: PIPELINE_ID,
      source: { resource: expect.any(String) as string },
    })
  })

  test.each([
    [['--secret', 'TOKEN='], 2, 'A secret lacks its name or its file'],
    [['--secret', '=file'], 2, 'A secret lacks its name or its file'],
    [['--secret', 'A=x', '--secret', 'A=y'], 2, 'The secret "A" is given twice'],
    [['--secret', 'A', '--secret', 'B'], 2, 'Standard input can be the value of one secret only'],
    [['--secret', 'A=-', '--secret', 'B=-'], 2, 'Standard input can be the value of one secret only'],
    [['--secret', 'A=no-such-file'], 4, 'give the path of the file with the value of A'],
    [['--secret', 'A=/dev/zero'], 4, 'The secret "A" has more than 1048576 bytes'],
  ])('%j is refused before anything is sent', async (options, code, words) => {
    const { api, io, start } = harness()
    staging(api)
    const captured = io()
    captured.stdin.end('value')
    expect(await start(captured, 'stage', await site(), ...options)).toBe(code)
    expect(captured.err).toContain(words)
    expect(api.requests.filter(({ method }) => method === 'POST').map(({ path: to }) => to)).not.toContain(
      '/v1/resources',
    )
  })

  test('does not wait for a person who types it', async () => {
    const { api, io, start } = harness()
    staging(api)
    const captured = io({ terminal: true })
    expect(await start(captured, 'stage', await site(), '--secret', 'TOKEN')).toBe(2)
    expect(captured.err).toContain('The secret "TOKEN" has no value: set the environment variable TOKEN')
  })

  test('-e says that its value goes into the package', async () => {
    const { code, io } = await harness().run('stage', '--help')
    expect(code).toBe(0)
    expect(io.out.replace(/\s+/g, ' ')).toContain('goes into the package with its value: for secrets, see --secret')
  })
})

describe('stager', () => {
  test('create and update say which secrets a stager takes', async () => {
    const { api, run, root } = harness()
    api
      .on('GET /v1/packages/:ref', () => notFound('package'))
      .on('GET /v1/stagers/:ref', ({ parameters }) =>
        parameters['ref'] === STAGER_ID ? aStager() : notFound('stager'),
      )
      .on('POST /v1/resources', takeResource)
      .on('POST /v1/packages', () => aPackage())
      .on('POST /v1/stagers', () => aStager())
      .on('PATCH /v1/stagers/:ref', () => aStager())
    await writeTree(path.join(root, 'program'), { stage: '' })
    const create = ['stager', 'create', 'x', '-p', 'program', '--start-command', './stage', '--secret', 'A,B']
    expect((await run(...create, '--secret', 'C')).code).toBe(0)
    expect(api.sent('POST /v1/stagers')).toMatchObject({ secrets: ['A', 'B', 'C'] })
    expect((await run('stager', 'update', STAGER_ID, '--secret-add', 'D', '--secret-remove', 'A,B')).code).toBe(0)
    expect(api.sent(`PATCH /v1/stagers/${STAGER_ID}`)).toEqual({ secrets_add: ['D'], secrets_remove: ['A', 'B'] })
  })

  test('secret set, list and remove never show a value', async () => {
    const { api, io, start, run } = harness()
    const secret = { name: 'NPM_TOKEN', updated_at: '2024-05-01T10:00:00.000Z' }
    api
      .on('GET /v1/stagers/:ref', () => aStager())
      .on('PUT /v1/stagers/:ref/secrets/:name', () => secret)
      .on('GET /v1/stagers/:ref/secrets', () => [secret])
      .on('DELETE /v1/stagers/:ref/secrets/:name', () => null)
    const captured = io()
    captured.stdin.end('s3cret')
    expect(await start(captured, 'stager', 'secret', 'set', 'static-site', 'NPM_TOKEN')).toBe(0)
    expect(api.sent(`PUT /v1/stagers/${STAGER_ID}/secrets/NPM_TOKEN`)).toEqual({ value: base64('s3cret') })
    expect(captured.out).toBe('job::/::static-site has the secret NPM_TOKEN.\n')
    expect((await run('stager', 'secret', 'list', 'static-site')).io.out).toContain('NPM_TOKEN  2024-05-01 10:00')
    expect((await run('stager', 'secret', 'remove', 'static-site', 'NPM_TOKEN')).code).toBe(0)
  })
})
