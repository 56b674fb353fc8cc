import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Package } from '../../../daemon/documents/package.js'
import { bytesOf } from './api-client.js'
import { ApiUnderTest } from './api-under-test.js'

const draft = { namespace: '/acme', name: 'app' }
const APP = encodeURIComponent('package::/acme::app')

describe('packages over the API', () => {
  let under: ApiUnderTest
  beforeEach(async () => {
    under = await ApiUnderTest.open()
  })
  afterEach(() => under.close())

  it('are created, shown under each of their names, changed and deleted', async () => {
    const made = await under.ask<Package>('POST', '/v1/packages', {
      ...draft,
      provides: [{ type: 'runtime', name: 'app' }],
      dependencies: [{ type: 'os', name: 'linux' }],
      environment: { START_COMMAND: './run' },
      templates: [{ path: 'conf', left_delimiter: '{{', right_delimiter: '}}' }],
    })
    expect(made.status).toBe(201)
    expect(made.headers.location).toBe(`/v1/packages/${made.document.uuid}`)
    expect(made.document).toMatchObject({ fqn: 'package::/acme::app', state: 'created' })
    for (const ref of [APP, encodeURIComponent('/acme::app'), made.document.uuid, made.document.uuid.toUpperCase()])
      expect((await under.ask('GET', `/v1/packages/${ref}`)).document).toEqual(made.document)

    const changed = await under.ask<Package>('PATCH', `/v1/packages/${APP}`, {
      name: 'app2',
      provides_add: [{ type: 'file', name: '/bin/app' }],
      provides_remove: [{ type: 'runtime', name: 'app' }],
      dependencies_add: [
        { type: 'os', name: 'linux' },
        { type: 'runtime', name: 'node' },
      ],
      environment_set: { A: '1' },
      environment_unset: ['START_COMMAND'],
    })
    expect(changed.document).toMatchObject({
      name: 'app2',
      provides: [{ type: 'file', name: '/bin/app' }],
      dependencies: [
        { type: 'os', name: 'linux' },
        { type: 'runtime', name: 'node' },
      ],
      environment: { A: '1' },
      templates: made.document.templates,
    })
    const gone = await under.ask('DELETE', `/v1/packages/${made.document.uuid}`)
    expect(gone).toMatchObject({ status: 204, document: undefined })
    expect((await under.ask('GET', `/v1/packages/${made.document.uuid}`)).status).toBe(404)
  })

  it('are changed by one request at a time', async () => {
    await under.ask('POST', '/v1/packages', draft)
    const keys = Array.from({ length: 20 }, (_, i) => `KEY_${i}`)
    await Promise.all(keys.map((key) => under.ask('PATCH', `/v1/packages/${APP}`, { environment_set: { [key]: 'x' } })))
    const { document } = await under.ask<Package>('GET', `/v1/packages/${APP}`)
    expect(Object.keys(document.environment).sort()).toEqual(keys.sort())
  })

  it('are listed by capability and namespace', async () => {
    await under.ask('POST', '/v1/packages', { ...draft, provides: [{ type: 'os', name: 'linux' }] })
    await under.ask('POST', '/v1/packages', { namespace: '/other', name: 'b', provides: [{ type: 'file', name: 'x' }] })
    const names = async (query: string) =>
      (await under.ask<Package[]>('GET', `/v1/packages${query}`)).document.map(({ name }) => name)
    expect(await names('')).toEqual(['app', 'b'])
    expect(await names('?type=os')).toEqual(['app'])
    expect(await names('?provides=x')).toEqual(['b'])
    expect(await names('?namespace=/acme')).toEqual(['app'])
  })

  it('store the uploaded data and return it', async () => {
    const content = Buffer.concat([Buffer.from([0x1f, 0x8b, 0x08]), Buffer.alloc(2_500_000, 'x')])
    const sha256 = await under.upload(content)
    const made = await under.ask<Package>('POST', '/v1/packages', { ...draft, resource: sha256, state: 'ready' })
    expect(made.document).toMatchObject({
      state: 'ready',
      resource: { digest: `sha256:${sha256}`, length: content.length, compression: 'gzip', removals: 0 },
    })

    const { request, answer } = await under.connect('GET', `/v1/packages/${APP}/data`)
    request.end()
    const { headers } = await answer
    expect(headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(content.length),
      etag: `"sha256:${sha256}"`,
      'content-disposition': 'attachment; filename="app.tar.gz"',
    })
    expect((await bytesOf(await answer)).equals(content)).toBe(true)
    const known = await under.ask('GET', `/v1/packages/${APP}/data`, undefined, {
      'if-none-match': String(headers.etag),
    })
    expect(known.status).toBe(304)

    const other = await under.upload('other data')
    const attached = await under.ask<Package>('PUT', `/v1/packages/${APP}/resource`, { resource: other.toUpperCase() })
    expect(attached.document).toMatchObject({ state: 'uploaded', resource: { compression: 'none', length: 10 } })
  })

  it('whose data is damaged on the disk are not sent', async () => {
    const content = Buffer.alloc(3_000_000, 'y')
    const sha256 = await under.upload(content)
    await under.ask('POST', '/v1/packages', { ...draft, resource: sha256 })
    const file = await open(join(under.directory.path, 'blobs', 'sha256', sha256.slice(0, 2), sha256), 'r+')
    await file.write(Buffer.from('z'), 0, 1, 1_500_000)
    await file.close()
    expect((await under.ask('GET', `/v1/packages/${APP}/data`)).document).toMatchObject({ code: 'blob-corrupt' })
  })

  describe('refuse, in one sentence,', () => {
    it.each([
      [{ name: 'app' }, 'bad-document', 'The body lacks "namespace", which is required.'],
      [
        { ...draft, colour: 'red' },
        'bad-document',
        /has "colour", which is unknown here; allowed: "namespace", "name"/,
      ],
      [{ ...draft, name: 7 }, 'bad-document', '"name" in the body must be a string.'],
      [{ ...draft, state: 'done' }, 'bad-document', '"state" in the body must be one of "uploaded", "ready".'],
      [
        { ...draft, provides: [{ type: 'os' }] },
        'bad-document',
        '"provides[0]" in the body lacks "name", which is required.',
      ],
      [
        { ...draft, provides: [{ type: 'service', name: 'x' }] },
        'bad-document',
        '"provides[0].type" in the body must be one of "os", "runtime", "file", "package".',
      ],
      [{ ...draft, environment: { A: 1 } }, 'bad-document', '"environment.A" in the body must be a string.'],
      [[], 'bad-document', 'The body must be an object.'],
      [{ ...draft, name: '../x' }, 'bad-name', /"..\/x" is not a name/],
      [{ ...draft, namespace: 'acme' }, 'bad-namespace', /begins with \//],
      [{ ...draft, provides: [{ type: 'os', name: 'a b' }] }, 'bad-capability', /without spaces/],
      [{ ...draft, environment: { 'A\nB': 1 } }, 'bad-document', /must be a string/],
      [{ ...draft, environment: { 'A=B': 'x' } }, 'bad-environment-key', /"A=B"/],
      [
        { ...draft, templates: [{ path: '../x', left_delimiter: '{{', right_delimiter: '}}' }] },
        'bad-template',
        /could lead out/,
      ],
    ])('%j', async (body, code, detail) => {
      const { status, document, headers } = await under.ask('POST', '/v1/packages', body)
      expect(status).toBe(400)
      expect(headers['content-type']).toMatch(/^application\/problem\+json/)
      expect(document).toMatchObject({ status: 400, code, type: `urn:stagerd:problem:${code}`, title: 'Bad input' })
      expect(document.detail).toMatch(detail)
      expect((await under.ask<Package[]>('GET', '/v1/packages')).document).toEqual([])
    })

    it('maps and lists with too many entries, whatever is in them', async () => {
      const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`V${index}`, 7]))
      for (const body of [
        { ...draft, environment: many(1025) },
        { name: 7, environment: many(100_000) },
      ])
        expect((await under.ask('POST', '/v1/packages', body)).document).toMatchObject({
          status: 400,
          code: 'bad-document',
          detail: '"environment" in the body must not have more than 1024 entries.',
        })
      const provides = Array.from({ length: 513 }, () => 'os.linux')
      expect((await under.ask('POST', '/v1/packages', { ...draft, provides })).document).toMatchObject({
        detail: '"provides" in the body must not have more than 512 entries.',
      })
    })

    it('a body that is not JSON, contains __proto__, or is too large', async () => {
      const send = (payload: string) =>
        under.api.inject({
          method: 'POST',
          url: '/v1/packages',
          payload,
          headers: { 'content-type': 'application/json' },
        })
      expect((await send('{"name":')).json()).toMatchObject({ status: 400, code: 'bad-document' })
      expect((await send('')).json()).toMatchObject({ status: 400, code: 'bad-document' })
      const poisoned = await send('{"namespace":"/acme","name":"a","environment":{"__proto__":"x"}}')
      expect(poisoned.json()).toMatchObject({ status: 400, code: 'bad-document' })
      expect((await send(`"${'x'.repeat(5_000_000)}"`)).json()).toMatchObject({ status: 413, code: 'body-too-large' })
      const form = await under.api.inject({
        method: 'POST',
        url: '/v1/packages',
        payload: 'a=b',
        headers: { 'content-type': 'text/plain' },
      })
      expect(form.json()).toMatchObject({ status: 415, code: 'unsupported-media-type' })
    })

    it('unknown parameters, invalid ones, and invalid names', async () => {
      const problem = async (url: string) => (await under.ask('GET', url)).document
      expect(await problem('/v1/packages?colour=red')).toMatchObject({ status: 400, code: 'bad-document' })
      expect(await problem('/v1/packages?type=service')).toMatchObject({ detail: /must be one of "os"/ })
      expect(await problem('/v1/packages?type=os&type=file')).toMatchObject({ status: 400 })
      expect(await problem('/v1/packages?namespace=acme')).toMatchObject({ code: 'bad-namespace' })
      expect(await problem('/v1/packages/app')).toMatchObject({ status: 400, code: 'bad-ref' })
      expect(await problem(`/v1/packages/${encodeURIComponent('job::/acme::app')}`)).toMatchObject({ code: 'bad-fqn' })
      expect(await problem(`/v1/packages/${encodeURIComponent(`/${'a/'.repeat(400)}::x`)}`)).toMatchObject({
        status: 400,
      })
      expect(await problem(`/v1/packages/${APP}`)).toMatchObject({ status: 404, code: 'package-not-found' })
    })

    it('a name that exists, data that was not uploaded, and a package without data', async () => {
      await under.ask('POST', '/v1/packages', draft)
      const again = await under.ask('POST', '/v1/packages', draft)
      expect(again.document).toMatchObject({ status: 409, code: 'package-exists', title: 'Conflict' })
      const nowhere = createHash('sha256').digest('hex')
      const missing = await under.ask('PUT', `/v1/packages/${APP}/resource`, { resource: nowhere })
      expect(missing.document).toMatchObject({ status: 404, code: 'resource-not-found' })
      const empty = await under.ask('GET', `/v1/packages/${APP}/data`)
      expect(empty.document).toMatchObject({ status: 404, code: 'package-empty' })
    })
  })
})
