import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BuildScript } from '../../daemon/documents/build-script.js'
import type { ImageEvent } from '../../daemon/documents/image.js'
import { CapturedIo } from './support/captured-io.js'
import { aPackage, aPipeline, aStaging, ended, PACKAGE_ID } from './support/documents.js'
import { EventStream } from './support/event-stream.js'
import { anImage, imageEvents } from './support/image-events.js'
import { FakeProblem, notFound, takeResource, type FakeApi } from './support/fake-api.js'
import { useHarness } from './support/harness.js'
import { readTar } from './support/read-tar.js'
import { writeTree } from './support/workspace.js'

const SOURCE = 'the source\n'
const digestOf = (kind: 'sha256' | 'sha1', text: string) => createHash(kind).update(text).digest('hex')
const TEMPORARY_ID = '11111111-1111-4111-8111-111111111111'

const harness = useHarness()
let server: Server
let served: string[]
let url: string

beforeEach(async () => {
  served = []
  server = createServer((request, response) => {
    served.push(request.url ?? '')
    if (request.url === '/moved/redis.tgz') response.writeHead(302, { location: '/redis.tgz' }).end()
    // Some servers send a gzipped tarball with this header. The client must not decompress it.
    else if (request.url === '/redis.tgz') response.writeHead(200, { 'content-encoding': 'gzip' }).end(SOURCE)
    else response.writeHead(404).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => new Promise((resolve) => server.close(resolve)))

const script = (changes: Partial<BuildScript> = {}): BuildScript => ({
  name: 'redis',
  namespace: '/acme/pkg',
  version: '2.8',
  provides: [{ type: 'package', name: 'redis' }],
  depends: [{ type: 'os', name: 'debian' }],
  build_depends: [{ type: 'package', name: 'build-essential' }],
  environment: { PATH: '/opt/redis/bin:$PATH', 'a/b.c': 'x\ny&\n' },
  sources: [{ url: `${url}/moved/redis.tgz`, file: 'redis.tgz', sha256: digestOf('sha256', SOURCE) }],
  include_files: ['start.sh'],
  cleanup: ['/usr/share/doc'],
  build: 'make',
  ...changes,
})

/** A daemon that parses every script as `parsed` and builds it. */
function daemon(api: FakeApi, parsed: BuildScript, state: 'succeeded' | 'failed' = 'succeeded'): FakeApi {
  return api
    .on('POST /v1/build-scripts', () => parsed)
    .on('GET /v1/stagingpipelines/:ref', () => aPipeline({ name: 'compiler' }))
    .on('GET /v1/packages/:ref', () => notFound('package'))
    .on('POST /v1/resources', takeResource)
    .on('POST /v1/packages', () => aPackage({ uuid: TEMPORARY_ID, name: 'redis.build-1' }))
    .on('PATCH /v1/packages/:ref', () => aPackage({ uuid: TEMPORARY_ID, name: 'redis' }))
    .on('DELETE /v1/packages/:ref', (_request, response) => void response.writeHead(204).end())
    .on('POST /v1/stagings', () => aStaging())
    .on('GET /v1/stagings/:uuid', () => ended(state, state === 'failed' ? 'stager-failed' : undefined))
    .on('GET /v1/stagings/:uuid/log', (_request, response) =>
      new EventStream(response).end(ended(state, state === 'failed' ? 'stager-failed' : undefined)),
    )
}

async function build(parsed = script(), state: 'succeeded' | 'failed' = 'succeeded', ...flags: string[]) {
  const { root, api, start } = harness()
  daemon(api, parsed, state)
  await writeTree(path.join(root, 'src'), { 'redis.conf': 'the text of the script', 'start.sh': '#!/bin/sh' })
  const io = new CapturedIo(root, { env: { XDG_CACHE_HOME: path.join(root, 'cache'), HOME: root } })
  return { code: await start(io, 'package', 'build', 'src/redis.conf', ...flags), io, api }
}

const cached = () => readdir(path.join(harness().root, 'cache/stagectl/sources')).catch(() => [])

describe('package build', () => {
  test('uploads the input of the stager in a form that a shell can read', async () => {
    const { code, api, io } = await build()
    expect(io.err).not.toMatch(/error/i)
    expect(code).toBe(0)
    const entries = await readTar([gzipSync(api.requests.find((one) => one.path === '/v1/resources')!.body)])
    expect(Object.fromEntries(entries.map(({ header, text }) => [header.name, text]))).toMatchObject({
      'build/script.conf': 'the text of the script',
      'build/body': 'make\n',
      'build/cleanup': '/usr/share/doc\n',
      'build/depends': 'os.debian\n',
      'build/build_depends': 'package.build-essential\n',
      'build/provides': 'package.redis\n',
      'build/environment/forms/1': 'resource=environment&action=add&key=PATH&value=%2Fopt%2Fredis%2Fbin%3A%24PATH',
      'build/environment/forms/2': 'resource=environment&action=add&key=a%2Fb.c&value=x%0Ay%26%0A',
      'work/redis.tgz': SOURCE,
      'work/start.sh': '#!/bin/sh',
    })
  })

  test('builds under a temporary name, and renames the package when the build succeeds', async () => {
    const { api } = await build()
    expect(api.sent('POST /v1/packages')).toMatchObject({
      namespace: '/acme/pkg',
      name: expect.stringMatching(/^redis\.build-[0-9a-f]{8}$/) as string,
      state: 'uploaded',
      version: '2.8',
      dependencies: [
        { type: 'os', name: 'debian' },
        { type: 'package', name: 'build-essential' },
      ],
    })
    expect(api.sent('POST /v1/packages')).not.toHaveProperty('provides')
    expect(api.sent(`PATCH /v1/packages/${TEMPORARY_ID}`)).toEqual({ name: 'redis' })
  })

  test('replaces an existing package in one request', async () => {
    harness().api.on('PUT /v1/packages/:ref/content', () => aPackage({ name: 'redis' }))
    const { root, api, start } = harness()
    daemon(api, script({ sources: [], include_files: [] }))
      .on('GET /v1/packages/:ref', () => aPackage({ name: 'redis' }))
      .on('GET /v1/stagers', () => [])
    await writeFile(path.join(root, 'redis.conf'), '')
    expect(await start(harness().io(), 'package', 'build', 'redis.conf')).toBe(0)
    expect(api.sent(`PUT /v1/packages/${PACKAGE_ID}/content`)).toEqual({ from: TEMPORARY_ID })
  })

  test('deletes the temporary package when the build fails', async () => {
    const { code, api } = await build(script(), 'failed')
    expect(code).toBe(10)
    expect(api.requested).toContain(`DELETE /v1/packages/${TEMPORARY_ID}`)
    expect(api.requested.filter((one) => one.startsWith('PATCH') || one.startsWith('PUT'))).toEqual([])
  })

  test('--namespace overrides the namespace of the script', async () => {
    const { api } = await build(script(), 'succeeded', '--namespace', '/other')
    expect(api.sent('POST /v1/packages')).toMatchObject({ namespace: '/other' })
  })

  test('reports the position of a syntax error', async () => {
    const { root, api, run } = harness()
    api.on('POST /v1/build-scripts', () => {
      throw new FakeProblem(400, 'bad-syntax', 'Line 2, column 3: expected a key, found "}".')
    })
    await writeFile(path.join(root, 'redis.conf'), '')
    const { code, io } = await run('package', 'build', 'redis.conf')
    expect(code).toBe(4)
    expect(io.err).toContain(`${path.join(root, 'redis.conf')}: Line 2, column 3: expected a key, found "}".`)
  })
})

describe('package build of an image', () => {
  const image = { image: 'debian:12', cleanup: ['/usr/share/doc'], build: '', sources: [], include_files: [] }
  async function buildImage(event: ImageEvent) {
    const { root, api, run } = harness()
    daemon(api, script({ ...image, build_depends: [] })).on('POST /v1/images/packages', imageEvents(event))
    await writeFile(path.join(root, 'debian.conf'), '')
    return { ...(await run('package', 'build', 'debian.conf')), api }
  }

  test('requests it under a temporary name, and renames the package', async () => {
    const { code, api } = await buildImage(anImage({ uuid: TEMPORARY_ID, name: 'redis.build-1' }))
    expect(code).toBe(0)
    expect(api.sent('POST /v1/images/packages')).toEqual({
      image: 'debian:12',
      leave_out: ['/usr/share/doc'],
      namespace: '/acme/pkg',
      name: expect.stringMatching(/^redis\.build-[0-9a-f]{8}$/) as string,
      dependencies: [{ type: 'os', name: 'debian' }],
      provides: [{ type: 'package', name: 'redis' }],
      environment: script().environment,
      version: '2.8',
    })
    expect(api.sent(`PATCH /v1/packages/${TEMPORARY_ID}`)).toEqual({ name: 'redis' })
    expect(api.requested).not.toContain('POST /v1/stagings')
  })

  test('reports the error of the daemon when the image cannot be pulled', async () => {
    const problem = {
      type: '',
      title: '',
      status: 503,
      code: 'registry-unreachable',
      detail: 'The Docker Engine cannot pull it.',
    }
    const { code, io } = await buildImage({ event: 'failed', problem })
    expect(code).toBe(1)
    expect(io.err).toContain('The Docker Engine cannot pull it.')
  })
})

describe('the sources of a script', () => {
  test('are fetched once, and later found in the cache by digest', async () => {
    await build()
    expect(await cached()).toEqual([`sha256-${digestOf('sha256', SOURCE)}`])
    expect(served).toEqual(['/moved/redis.tgz', '/redis.tgz'])
    await build()
    expect(served).toHaveLength(2)
  })

  test('are fetched again when the cached file has changed', async () => {
    await build()
    const [name = ''] = await cached()
    await writeFile(path.join(harness().root, 'cache/stagectl/sources', name), 'something else')
    const { code } = await build()
    expect(code).toBe(0)
    expect(served).toHaveLength(4)
  })

  const refusals: [string, Partial<BuildScript['sources'][number]>, number, RegExp][] = [
    ['with a wrong digest', { sha256: digestOf('sha256', 'another') }, 5, /has the sha256.*the script expects/],
    ['without a digest', {}, 5, /gives no digest.*--insecure-sources/],
    ['that do not exist', { url: '/nothing.tgz', sha256: digestOf('sha256', SOURCE) }, 4, /There is no http.*404/],
  ]
  test.each(refusals)('%s are rejected before the upload', async (_which, change, expected, message) => {
    const source = { file: 'redis.tgz', ...change, url: `${url}${change.url ?? '/redis.tgz'}` }
    const { code, io, api } = await build(script({ sources: [source] }))
    expect(code).toBe(expected)
    expect(io.err).toMatch(message)
    expect(api.requested).not.toContain('POST /v1/resources')
    expect(await cached()).toEqual([])
  })

  test('with only a sha1 are accepted with a warning; without a digest, only with --insecure-sources', async () => {
    const source = { url: `${url}/redis.tgz`, file: 'redis.tgz' }
    const weak = await build(script({ sources: [{ ...source, sha1: digestOf('sha1', SOURCE) }] }))
    expect(weak.code).toBe(0)
    expect(weak.io.err).toMatch(/verified by SHA-1 only/)
    const none = await build(script({ sources: [source] }), 'succeeded', '--insecure-sources')
    expect(none.code).toBe(0)
    expect(none.io.err).toMatch(/is not verified/)
  })

  test('can be local files', async () => {
    const { root } = harness()
    await writeFile(path.join(root, 'local.tgz'), SOURCE)
    const source = { url: `file://${root}/local.tgz`, file: 'local.tgz', sha256: digestOf('sha256', SOURCE) }
    expect((await build(script({ sources: [source] }))).code).toBe(0)
  })
})
