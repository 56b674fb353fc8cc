import { describe, expect, test } from 'vitest'
import type { ImageEvent } from '../../daemon/documents/image.js'
import { aPackage, aPipeline, aStaging, ended, line, PACKAGE_ID, PIPELINE_ID } from './support/documents.js'
import { EventStream } from './support/event-stream.js'
import { notFound, type FakeApi } from './support/fake-api.js'
import { useHarness } from './support/harness.js'
import { anImage, imageEvents } from './support/image-events.js'

const harness = useHarness()
const TEMPORARY_ID = '11111111-1111-4111-8111-111111111111'
const IMAGE = 'registry.example.com:5000/team/shop:1.2'

/** A daemon with the pipeline docker and no package of the image. */
function daemon(api: FakeApi, outcome = ended('succeeded'), ...events: readonly ImageEvent[]): FakeApi {
  const made = anImage(
    { uuid: TEMPORARY_ID, name: 'shop.build-1' },
    { user: 'node:node', exposed: ['8080/tcp', '9/udp'] },
  )
  return api
    .on('GET /v1/packages/:ref', () => notFound('package'))
    .on('GET /v1/stagingpipelines/:ref', ({ parameters }) =>
      parameters['ref'] === 'stagpipe::/apcera::docker'
        ? aPipeline({ name: 'docker', namespace: '/apcera' })
        : notFound('pipeline'),
    )
    .on('GET /v1/stagers', () => [])
    .on('POST /v1/images/packages', imageEvents(...(events.length > 0 ? events : [made])))
    .on('PATCH /v1/packages/:ref', () => aPackage({ uuid: TEMPORARY_ID, name: 'shop' }))
    .on('DELETE /v1/packages/:ref', (_request, response) => void response.writeHead(204).end())
    .on('POST /v1/stagings', () => aStaging())
    .on('GET /v1/stagings/:uuid/log', (_request, response) => {
      new EventStream(response).lines(line(1, 'The start command is: serve')).end(outcome)
    })
}

describe('stage --image', () => {
  test('makes a package of the image under a temporary name, stages it with docker, and gives it its name', async () => {
    const { api, run } = harness()
    daemon(api)
    const { code, io } = await run('stage', '--image', IMAGE, '-e', 'COLOUR=red')
    expect(io.err).not.toMatch(/error/i)
    expect(code).toBe(0)
    expect(api.sent('POST /v1/images/packages')).toEqual({
      image: IMAGE,
      namespace: '/',
      name: expect.stringMatching(/^shop\.build-[0-9a-f]{8}$/) as string,
      state: 'uploaded',
      environment: { COLOUR: 'red' },
    })
    expect(api.sent('POST /v1/stagings')).toEqual({ package: TEMPORARY_ID, pipeline: PIPELINE_ID })
    expect(api.sent(`PATCH /v1/packages/${TEMPORARY_ID}`)).toEqual({ name: 'shop' })
  })

  test('says which content it has, and how Docker would run it', async () => {
    const { api, run } = harness()
    daemon(api)
    const { io } = await run('stage', '--image', IMAGE)
    expect(io.err).toContain(`The image is registry.example.com/shop@sha256:${'1'.repeat(64)}.`)
    expect(io.err).toContain('`stagectl run shop --publish 8080:8080 --user node`')
  })

  test('replaces an existing package in one request, when its staging has succeeded', async () => {
    const { api, run } = harness()
    daemon(api)
      .on('GET /v1/packages/:ref', () => aPackage({ name: 'shop' }))
      .on('PUT /v1/packages/:ref/content', () => aPackage({ name: 'shop' }))
    expect((await run('stage', '--image', IMAGE)).code).toBe(0)
    expect(api.sent(`PUT /v1/packages/${PACKAGE_ID}/content`)).toEqual({ from: TEMPORARY_ID })
  })

  test('leaves nothing when the staging fails', async () => {
    const { api, run } = harness()
    daemon(api, ended('failed', 'stager-failed'))
    expect((await run('stage', '--image', IMAGE)).code).toBe(10)
    expect(api.requested).toContain(`DELETE /v1/packages/${TEMPORARY_ID}`)
    expect(api.requested.filter((one) => one.startsWith('PATCH') || one.startsWith('PUT'))).toEqual([])
  })

  test('reports why the image cannot be had, and stages nothing', async () => {
    const { api, run } = harness()
    const detail = 'The registry wants a login.'
    const problem = { type: '', title: '', status: 403, code: 'registry-login', detail }
    daemon(api, undefined, { event: 'progress', phase: 'pulling', bytes: 5 }, { event: 'failed', problem })
    const { code, io } = await run('stage', '--image', IMAGE)
    expect(code).toBe(5)
    expect(io.err).toContain(detail)
    expect(api.requested).not.toContain('POST /v1/stagings')
  })

  test('ends with a sentence when the daemon dies', async () => {
    const { api, run } = harness()
    daemon(api, undefined, { event: 'progress', phase: 'storing', bytes: 5 })
    const { code, io } = await run('stage', '--image', IMAGE)
    expect(code).toBe(3)
    expect(io.err).toContain('The connection to stagerd was lost, which ends the import of the image')
  })

  test('needs the pipeline docker, and says how to make it before anything is pulled', async () => {
    const { api, run } = harness()
    daemon(api)
      .on('GET /v1/stagingpipelines/:ref', () => notFound('pipeline'))
      .on('POST /v1/detections', () => ({
        namespace: '/apcera',
        candidates: [{ name: 'docker', verdict: 'passed over', fits: false, reason: '', found: [], signs: [] }],
        wanted: [],
      }))
    const { code, io } = await run('stage', '--image', IMAGE)
    expect(code).toBe(4)
    expect(io.err).toContain('There is no pipeline docker in / or /apcera: make it with `stagectl bootstrap docker`.')
    expect(api.requested).not.toContain('POST /v1/images/packages')
  })

  test.each([
    [['stage'], 'Give either a source'],
    [['stage', '.', '--image', IMAGE], 'Give either a source'],
    [['stage', '--image', IMAGE, '--detach'], '--image and --detach exclude each other'],
    [['stage', '--image', IMAGE, '--runtime', 'node-20'], '--image and --runtime exclude each other'],
    [['stage', '.', '--runtime', '20'], '"20" is not a runtime: write NAME-VERSION, such as node-20'],
    [['stage', '.', '--runtime', 'node@20'], '"node@20" is not a runtime'],
  ])('%j is no use of it', async (argv, message) => {
    const { api, run } = harness()
    const { code, io } = await run(...argv)
    expect(code).toBe(2)
    expect(io.err).toContain(message)
    expect(api.requested).toEqual([])
  })

  test.each([
    ['nginx', 'nginx'],
    ['nginx:1.25', 'nginx'],
    ['127.0.0.1:5000/small:1', 'small'],
    [`ghcr.io/team/web.app@sha256:${'0'.repeat(64)}`, 'web.app'],
  ])('derives the name of the package from %s: %s', async (image, name) => {
    const { api, run } = harness()
    daemon(api)
    await run('stage', '--image', image)
    expect(api.sent('POST /v1/images/packages')).toMatchObject({
      name: expect.stringContaining(`${name}.build-`) as string,
    })
  })

  test('derives none from an id', async () => {
    const { code, io } = await harness().run('stage', '--image', `sha256:${'0'.repeat(64)}`)
    expect(code).toBe(4)
    expect(io.err).toContain('give one with --name')
  })
})
