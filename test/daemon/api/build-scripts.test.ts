import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BuildScript } from '../../../daemon/documents/build-script.js'
import type { ImageEvent } from '../../../daemon/documents/image.js'
import type { Package } from '../../../daemon/documents/package.js'
import type { Problem } from '../../../daemon/documents/problem.js'
import { ApiUnderTest } from './api-under-test.js'

describe('building packages over the API', () => {
  let under: ApiUnderTest
  beforeEach(async () => {
    under = await ApiUnderTest.open()
  })
  afterEach(() => under.close())

  it('a build script is parsed by the daemon, so that every client gets the same result', async () => {
    const script = [
      'name: redis, version: "2.8", snapshot_path: "/rootfs"',
      'sources [ { url: "https://example.org/a/redis-2.8.tgz" } ]',
      'build_depends [ { package: build-essential } ]',
      'build (',
      '  make',
      ')',
    ].join('\n')
    const { status, document } = await under.ask<BuildScript>('POST', '/v1/build-scripts', { script })
    expect(status).toBe(200)
    expect(document).toEqual({
      name: 'redis',
      version: '2.8',
      provides: [],
      depends: [],
      build_depends: [{ type: 'package', name: 'build-essential' }],
      environment: {},
      sources: [{ url: 'https://example.org/a/redis-2.8.tgz', file: 'redis-2.8.tgz' }],
      include_files: [],
      cleanup: [],
      snapshot_path: '/rootfs',
      build: '  make',
    })
  })

  it('a syntax error in it is reported with its place', async () => {
    const { status, document } = await under.ask<Problem>('POST', '/v1/build-scripts', { script: 'name: redis\nbuild' })
    expect(status).toBe(400)
    expect(document).toMatchObject({ code: 'bad-syntax' })
    expect(document.detail).toMatch(/^Line 2, column 6: expected a value.*found the end of the document\.$/)
  })

  it('a package takes over the content of another in one step', async () => {
    const old = await under.ask<Package>('POST', '/v1/packages', { namespace: '/', name: 'ruby', version: '1' })
    const made = await under.ask<Package>('POST', '/v1/packages', {
      namespace: '/',
      name: 'ruby.build',
      version: '2',
      description: 'Ruby',
      provides: [{ type: 'runtime', name: 'ruby' }],
    })
    const path = `/v1/packages/${old.document.uuid}/content`
    const replaced = await under.ask<Package>('PUT', path, { from: 'package::/::ruby.build' })
    expect(replaced.status).toBe(200)
    expect(replaced.document).toMatchObject({
      uuid: old.document.uuid,
      name: 'ruby',
      version: '2',
      description: 'Ruby',
    })
    expect(replaced.document.provides).toEqual(made.document.provides)
    const left = await under.ask<Package[]>('GET', '/v1/packages')
    expect(left.document.map(({ name }) => name)).toEqual(['ruby'])
  })

  describe('a package of an image', () => {
    const draft = {
      image: 'debian:12',
      namespace: '/acme',
      name: 'debian',
      version: '12',
      provides: [{ type: 'os', name: 'debian-12' }],
      environment: { START_COMMAND: 'sh' },
    }
    const make = (change: object = {}) =>
      under.ask<Package & Problem>('POST', '/v1/images/packages', { ...draft, ...change })
    const packages = async () => (await under.ask<Package[]>('GET', '/v1/packages')).document
    beforeEach(() => {
      const config = {
        environment: ['PATH=/bin'],
        workingDirectory: '/srv',
        command: ['bash'],
        user: 'www',
        exposed: ['80/tcp'],
      }
      under.caches.images.set('debian:12', { files: { '/etc/issue': 'Debian' }, config })
    })

    it('is ready, and the script overrides the configuration of the image', async () => {
      const { status, document } = await make()
      expect(status).toBe(201)
      expect(document).toMatchObject({
        fqn: 'package::/acme::debian',
        state: 'ready',
        version: '12',
        provides: draft.provides,
        environment: { PATH: '/bin', START_PATH: '/srv', START_COMMAND: 'sh' },
      })
      expect(await under.storedBlobs()).toEqual([document.resource?.digest.replace('sha256:', '')])
    })

    it.each<[why: string, change: object, status: number, code: string]>([
      ['that does not exist', { image: 'debian:13' }, 404, 'no-such-image'],
      ['by an invalid name', { image: '../version' }, 400, 'bad-image'],
      ['without a path that cannot be left out', { leave_out: ['/'] }, 400, 'bad-path'],
      ['with an invalid environment', { environment: { 'a=b': '' } }, 400, 'bad-environment-key'],
    ])('%s is refused, and nothing is stored', async (_why, change, status, code) => {
      expect(await make(change)).toMatchObject({ status, document: { code } })
      expect(await packages()).toEqual([])
      expect(await under.storedBlobs()).toEqual([])
      expect([...under.caches.left]).toEqual([])
    })

    it('can be made for a staging, and names the image that it was made of', async () => {
      const { document } = await make({ state: 'uploaded' })
      expect(document).toMatchObject({
        state: 'uploaded',
        description: 'Docker image debian:12@sha256:fake, runs as www, exposes 80/tcp',
      })
      expect((await make({ name: 'other', description: 'mine' })).document.description).toBe('mine')
    })

    const events = async (change: object = {}) => {
      const accept = { accept: 'application/x-ndjson' }
      const body = { ...draft, ...change }
      const { status, document } = await under.ask<unknown>('POST', '/v1/images/packages', body, accept)
      // A single line is a document.
      const text = typeof document === 'string' ? document.trim() : JSON.stringify(document)
      return { status, events: text.split('\n').map((line) => JSON.parse(line) as ImageEvent) }
    }

    it('tells those who listen of its progress, and then of the package', async () => {
      const { status, events: heard } = await events()
      expect(status).toBe(200)
      expect(heard[0]).toMatchObject({ event: 'progress', phase: 'storing' })
      expect(heard.at(-1)).toMatchObject({
        event: 'made',
        package: { fqn: 'package::/acme::debian' },
        image: 'debian:12@sha256:fake',
        user: 'www',
        exposed: ['80/tcp'],
      })
    })

    it('tells those who listen why there is none', async () => {
      expect(await events({ image: 'debian:13' })).toMatchObject({
        status: 200,
        events: [{ event: 'failed', problem: { status: 404, code: 'no-such-image' } }],
      })
      expect([...under.caches.left]).toEqual([])
    })

    it('that is larger than the quota is refused, and nothing is stored', async () => {
      const noise = randomBytes(4000).toString('base64')
      under.caches.images.set('debian:12', { files: { '/noise': noise } })
      expect(await make({ namespace: '/small' })).toMatchObject({ status: 403, document: { code: 'package-quota' } })
      expect(await packages()).toEqual([])
      expect(await under.storedBlobs()).toEqual([])
    })
  })
})
