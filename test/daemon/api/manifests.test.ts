import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ParsedManifest } from '../../../daemon/documents/manifest.js'
import type { Package } from '../../../daemon/documents/package.js'
import type { Problem } from '../../../daemon/documents/problem.js'
import { ApiUnderTest } from './api-under-test.js'

const MANIFEST = `
start_cmd: "./shop"
package_dependencies [ "os.linux" ]
env { GREETING: "hello", MODE: "manifest" }
templates [ { path: "app/shop.conf" } ]
resources { memory: 64MB }
instances: 3
`

describe('manifests over the API', () => {
  let under: ApiUnderTest
  beforeEach(async () => {
    under = await ApiUnderTest.open()
  })
  afterEach(() => under.close())

  it('a manifest is parsed by the daemon, so that every client gets the same result', async () => {
    const { status, document } = await under.ask<ParsedManifest>('POST', '/v1/manifests', { manifest: MANIFEST })
    expect(status).toBe(200)
    expect(document).toMatchObject({
      places: { start_cmd: { line: 2, column: 12 }, 'package_dependencies/0': { line: 3, column: 24 } },
      start_cmd: './shop',
      package_dependencies: [{ type: 'os', name: 'linux' }],
      env: { GREETING: 'hello', MODE: 'manifest' },
      templates: [{ path: 'app/shop.conf', left_delimiter: '{{', right_delimiter: '}}' }],
      resources: { memory_bytes: 64 * 1024 ** 2 },
      instances: 3,
    })
  })

  it('all mistakes in it are reported with their places', async () => {
    const { status, document } = await under.ask<Problem>('POST', '/v1/manifests', { manifest: 'nmae: x\nstart: 1' })
    expect(status).toBe(400)
    expect(document).toMatchObject({ code: 'bad-syntax' })
    expect(document.detail).toMatch(/^There are 2 mistakes\.\n {2}Line 1, column 1: .*\n {2}Line 2, column 8: .*$/)
  })

  it('a package has what its manifest says, unless the draft says otherwise, and keeps the manifest', async () => {
    const resource = await under.upload(gzipSync(Buffer.alloc(512)))
    const { status, document } = await under.ask<Package>('POST', '/v1/packages', {
      namespace: '/',
      name: 'shop',
      resource,
      manifest: MANIFEST,
      environment: { MODE: 'draft', START_COMMAND: './other' },
    })
    expect(status).toBe(201)
    expect(document).toMatchObject({
      dependencies: [{ type: 'os', name: 'linux' }],
      environment: { GREETING: 'hello', MODE: 'draft', START_COMMAND: './other' },
      templates: [{ path: 'app/shop.conf' }],
      manifest: { instances: 3, resources: { memory_bytes: 64 * 1024 ** 2 }, start_cmd: './other' },
    })
    const shown = await under.ask<Package>('GET', `/v1/packages/${document.uuid}`)
    expect(shown.document).toEqual(document)
  })

  it('the next manifest of a package takes the place of the one before, and of what that one gave', async () => {
    const draft = { namespace: '/', name: 'shop', manifest: MANIFEST, environment: { MINE: 'kept' } }
    const { document: made } = await under.ask<Package>('POST', '/v1/packages', draft)
    const path = `/v1/packages/${made.uuid}`
    await under.ask('PATCH', path, { environment_set: { MODE: 'changed by hand' } })
    const { document } = await under.ask<Package>('PATCH', path, { manifest: 'env { NEW: "1" }' })
    expect(document.environment).toEqual({ MINE: 'kept', MODE: 'changed by hand', NEW: '1' })
    expect(document.templates).toEqual([])
    expect(document.manifest).toEqual({ env: { NEW: '1' }, places: { 'env/NEW': { line: 1, column: 12 } } })
    const { document: without } = await under.ask<Package>('PATCH', path, { manifest: '' })
    expect(without.environment).toEqual({ MINE: 'kept', MODE: 'changed by hand' })
    expect(without).not.toHaveProperty('manifest')
  })

  it('a draft with a manifest that has a mistake makes no package', async () => {
    const draft = { namespace: '/', name: 'shop', manifest: 'instances: none' }
    expect(await under.ask('POST', '/v1/packages', draft)).toMatchObject({
      status: 400,
      document: { code: 'bad-syntax' },
    })
    expect((await under.ask<Package[]>('GET', '/v1/packages')).document).toEqual([])
  })
})
