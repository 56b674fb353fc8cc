import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BuildScript, Package, Problem } from '../../daemon/api/documents.js'
import { ApiUnderTest } from './api-under-test.js'

describe('building packages over the API', () => {
  let under: ApiUnderTest
  beforeEach(async () => {
    under = await ApiUnderTest.open()
  })
  afterEach(() => under.close())

  it('a build script is read by the daemon, so that every client reads it alike', async () => {
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

  it('a mistake in it is told with its place', async () => {
    const { status, document } = await under.ask<Problem>('POST', '/v1/build-scripts', { script: 'name: redis\nbuild' })
    expect(status).toBe(400)
    expect(document).toMatchObject({ code: 'bad-syntax' })
    expect(document.detail).toMatch(/^Line 2, column 6: expected a value.*found the end of the text\.$/)
  })

  it('a package takes over what another has become, in one step', async () => {
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
})
