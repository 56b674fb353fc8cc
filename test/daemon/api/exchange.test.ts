import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ImportReport } from '../../../daemon/documents/exchange.js'
import type { Package } from '../../../daemon/documents/package.js'
import type { Pipeline } from '../../../daemon/documents/pipeline.js'
import type { Stager } from '../../../daemon/documents/stager.js'
import { renamed, zipOf } from '../../support/zip-builder.js'
import { bytesOf, documentOf, until } from './api-client.js'
import { ApiUnderTest } from './api-under-test.js'

const digestOf = (content: Buffer) => createHash('sha256').update(content).digest('hex')
const os = { type: 'os', name: 'linux' } as const
const ruby = { type: 'runtime', name: 'ruby' } as const
const MANIFEST = 'STAGERD_MANIFEST.json'
const RESOURCE = 'PACKAGE_RESOURCE_0001.tar.gz'

describe('exchange', () => {
  let here: ApiUnderTest
  let there: ApiUnderTest
  const tarballs = { os: randomBytes(100_000), ruby: randomBytes(50_000), program: randomBytes(1000) }

  beforeEach(async () => {
    here = await ApiUnderTest.open()
    there = await ApiUnderTest.open()
    await put('/apcera/pkg', 'debian', tarballs.os, { provides: [os] })
    await put('/apcera/pkg', 'ruby-2', tarballs.ruby, {
      provides: [ruby],
      dependencies: [os],
      environment: { PATH: '/opt/ruby/bin:$PATH' },
      version: '2.0.0',
      description: 'A language.',
    })
    await put('/apcera', 'stager-ruby', tarballs.program, { dependencies: [ruby] })
    const draft = { namespace: '/apcera', name: 'ruby', package: '/apcera::stager-ruby', start_command: './stage' }
    const rest = { additive: true, clean_environment: true, secrets: ['TOKEN'], expects: [ruby] }
    expect((await here.ask('POST', '/v1/stagers', { ...draft, ...rest })).status).toBe(201)
    const pipeline = {
      namespace: '/apcera',
      name: 'ruby',
      stagers: ['/apcera::ruby', '/apcera::ruby'],
      signs: ['*.gemspec', 'gems/'],
    }
    expect((await here.ask('POST', '/v1/stagingpipelines', pipeline)).status).toBe(201)
  })
  afterEach(async () => {
    await here.close()
    await there.close()
  })

  const put = async (namespace: string, name: string, content: Buffer, more: object = {}) => {
    const resource = await here.upload(content)
    const answer = await here.ask('POST', '/v1/packages', { namespace, name, resource, state: 'ready', ...more })
    expect(answer.status).toBe(201)
  }

  const exported = async (query: string): Promise<Buffer> => {
    const { request, answer } = await here.connect('GET', `/v1/exchange?${query}`)
    request.end()
    const response = await answer
    const content = await bytesOf(response)
    expect(response.statusCode, String(content)).toBe(200)
    expect(response.headers['content-length']).toBe(String(content.length))
    return content
  }

  const send = async (file: Buffer, query = ''): Promise<{ status: number; document: Record<string, unknown> }> => {
    const { request, answer } = await there.connect('POST', `/v1/exchange${query}`, {
      'content-type': 'application/zip',
    })
    request.end(file)
    return { status: (await answer).statusCode ?? 0, document: await documentOf(await answer) }
  }

  const imported = async (file: Buffer, query = ''): Promise<ImportReport> => {
    const { status, document } = await send(file, query)
    expect(document).not.toHaveProperty('detail')
    expect(status).toBe(201)
    return document as unknown as ImportReport
  }

  const names = async (of: ApiUnderTest) =>
    (await of.ask<Package[]>('GET', '/v1/packages')).document.map(({ fqn }) => fqn).sort()

  const nothingThere = async () => {
    for (const kind of ['packages', 'stagers', 'stagingpipelines'])
      expect((await there.ask('GET', `/v1/${kind}`)).document).toEqual([])
    const spooled = () => readdir(join(there.directory.path, 'imports')).catch(() => [])
    await until('no file is left', async () => (await spooled()).length === 0)
  }

  const manifestOf = (more: object = {}, content = tarballs.os) => ({
    format: 'stagerd-exchange',
    version: 1,
    packages: [
      {
        fqn: 'package::/acme::one',
        state: 'ready',
        dependencies: [],
        provides: [os],
        environment: {},
        templates: [],
        resource: { file: RESOURCE, digest: `sha256:${digestOf(content)}`, length: content.length, removals: [] },
        ...more,
      },
    ],
    stagers: [],
    pipelines: [],
  })
  const fileOf = (manifest: object, content: Buffer = tarballs.os) =>
    zipOf([
      [MANIFEST, JSON.stringify(manifest)],
      [RESOURCE, content],
    ])

  it('renews what was made from another recipe, and keeps the rest', async () => {
    const make = async (at: ApiUnderTest, name: string, recipe?: string) => {
      const content = randomBytes(1000)
      const sha256 = await at.upload(content)
      const resource = {
        uuid: randomUUID(),
        sha256,
        sha1: undefined,
        length: 1000,
        compression: 'gzip',
        removals: [],
      } as const
      const metadata = { dependencies: [], provides: [], environment: {}, templates: [] }
      const draft = { namespace: '/made', name, ...metadata, resource, state: 'ready' } as const
      await at.store.packages.create({ ...draft, ...(recipe === undefined ? {} : { recipe }) })
      return sha256
    }
    const [newer, older] = ['a'.repeat(64), 'b'.repeat(64)]
    const changed = await make(here, 'changed', newer)
    await make(here, 'same', newer)
    await make(here, 'own', newer)
    const mine = { same: await make(there, 'same', newer), own: await make(there, 'own') }
    await make(there, 'changed', older)
    const file = await exported(['changed', 'same', 'own'].map((name) => `package=/made::${name}`).join('&'))

    expect((await imported(file, '?existing=renew')).packages.map(({ fqn, outcome }) => [fqn, outcome])).toEqual([
      ['package::/made::changed', 'replaced'],
      ['package::/made::same', 'skipped'],
      ['package::/made::own', 'skipped'],
    ])
    const dataOf = async (name: string) =>
      (await there.store.packages.get({ namespace: '/made', name })).resource?.sha256
    expect(await dataOf('changed')).toBe(changed)
    expect(await dataOf('same')).toBe(mine.same)
    expect(await dataOf('own')).toBe(mine.own)
  })

  it('imports a package as it was exported', async () => {
    await imported(await exported('package=/apcera/pkg::ruby-2'))
    const [before, after] = await Promise.all(
      [here, there].map(
        async (one) => (await one.ask<Package>('GET', '/v1/packages/%2Fapcera%2Fpkg::ruby-2')).document,
      ),
    )
    const content = ({ uuid, created_at, updated_at, resource, ...rest }: Package) => ({
      ...rest,
      digest: resource?.digest,
      length: resource?.length,
      times: [uuid, created_at, updated_at].length,
    })
    expect(content(after!)).toEqual(content(before!))
  })

  it('exports the same packages as the same file', async () => {
    const query = 'package=/apcera/pkg::ruby-2&with_dependencies=true'
    expect((await exported(query)).equals(await exported(query))).toBe(true)
  })

  it('exports a pipeline with its stagers, their packages, and their dependencies', async () => {
    const file = await exported('pipeline=/apcera::ruby&with_dependencies=true')
    const report = await imported(file)
    expect(report.packages.map(({ fqn, outcome }) => `${fqn} ${outcome}`)).toEqual([
      'package::/apcera/pkg::debian made',
      'package::/apcera/pkg::ruby-2 made',
      'package::/apcera::stager-ruby made',
    ])
    const pipeline = (await there.ask<Pipeline>('GET', '/v1/stagingpipelines/%2Fapcera::ruby')).document
    expect(pipeline.stagers).toEqual(['job::/apcera::ruby', 'job::/apcera::ruby'])
    expect(pipeline.signs).toEqual(['*.gemspec', 'gems/'])
    const stager = (await there.ask<Stager>('GET', '/v1/stagers/%2Fapcera::ruby')).document
    expect(stager).toMatchObject({
      package: 'package::/apcera::stager-ruby',
      additive: true,
      clean_environment: true,
      secrets: ['TOKEN'],
      expects: [ruby],
      start_command: './stage',
    })
    expect(await there.storedBlobs()).toHaveLength(3)
  })

  it('imports everything into one namespace on request, references included', async () => {
    await imported(await exported('pipeline=/apcera::ruby&with_dependencies=true'), '?namespace=/acme')
    expect(await names(there)).toEqual([
      'package::/acme::debian',
      'package::/acme::ruby-2',
      'package::/acme::stager-ruby',
    ])
    expect((await there.ask<Stager>('GET', '/v1/stagers/%2Facme::ruby')).document.package).toBe(
      'package::/acme::stager-ruby',
    )
    expect((await there.ask<Pipeline>('GET', '/v1/stagingpipelines/%2Facme::ruby')).document.stagers).toEqual([
      'job::/acme::ruby',
      'job::/acme::ruby',
    ])
  })

  it('is refused as a whole when its packages are over the total quota together', async () => {
    const text = 'on quota::/ { { total.package.size 150000B } }'
    await there.store.policies.put({ namespace: '/', name: 'rules', text })
    const { status, document } = await send(await exported('pipeline=/apcera::ruby&with_dependencies=true'))
    expect({ status, document }).toMatchObject({ status: 403, document: { code: 'package-quota' } })
    expect(await names(there)).toEqual([])
  })

  it('is refused as a whole when names exist, and reports all of them', async () => {
    const file = await exported('pipeline=/apcera::ruby&with_dependencies=true')
    await imported(await exported('package=/apcera/pkg::debian&package=/apcera/pkg::ruby-2'))
    const { status, document } = await send(file)
    expect(status).toBe(409)
    expect(document).toMatchObject({ code: 'already-there' })
    expect(document.detail).toMatch(/package::\/apcera\/pkg::debian, package::\/apcera\/pkg::ruby-2 exist already/)
    expect((await there.ask('GET', '/v1/stagers')).document).toEqual([])
  })

  it('keeps or replaces what exists, on request', async () => {
    const file = await exported('pipeline=/apcera::ruby')
    await imported(file)
    const before = (await there.ask<Package>('GET', '/v1/packages/%2Fapcera::stager-ruby')).document
    await there.ask('PATCH', '/v1/packages/%2Fapcera::stager-ruby', { environment_set: { CHANGED: 'yes' } })
    await there.ask('PATCH', '/v1/stagingpipelines/%2Fapcera::ruby', { signs_add: ['own'] })
    const signs = async () => (await there.ask<Pipeline>('GET', '/v1/stagingpipelines/%2Fapcera::ruby')).document.signs
    const skipped = await imported(file, '?existing=skip')
    expect(await signs()).toEqual(['*.gemspec', 'gems/', 'own'])
    expect(skipped.packages).toEqual([{ fqn: before.fqn, uuid: before.uuid, outcome: 'skipped' }])
    const replaced = await imported(file, '?existing=override')
    expect(replaced.stagers.map(({ outcome }) => outcome)).toEqual(['replaced'])
    expect(await signs()).toEqual(['*.gemspec', 'gems/'])
    const after = (await there.ask<Package>('GET', '/v1/packages/%2Fapcera::stager-ruby')).document
    expect(after).toMatchObject({ uuid: before.uuid, environment: {} })
  })

  it('moves the manifest that a package was staged with', async () => {
    const resource = await here.upload(tarballs.os)
    const manifest = 'env { A: "{{name}}" }, instances: 2, resources { memory: 64MB }, tags { team: shop }'
    await here.ask('POST', '/v1/packages', { namespace: '/acme', name: 'shop', resource, state: 'ready', manifest })
    await imported(await exported('package=/acme::shop'))
    expect((await there.ask<Package>('GET', '/v1/packages/%2Facme::shop')).document).toMatchObject({
      environment: { A: '{{name}}' },
      manifest: { env: { A: '{{name}}' }, instances: 2, resources: { memory_bytes: 2 ** 26 }, tags: { team: 'shop' } },
    })
  })

  it('is atomic: a reference to something that does not exist undoes all of it', async () => {
    const stager = {
      fqn: 'job::/acme::s',
      package: 'package::/acme::missing',
      start_command: 'x',
      additive: false,
      allow_egress: false,
      user: 'runner',
      limits: { memory_bytes: 2 ** 28, cpus: 1, pids: 10, disk_bytes: 2 ** 28, timeout_ms: 1000 },
      dependencies: [],
      environment: {},
    }
    const { status, document } = await send(await fileOf({ ...manifestOf(), stagers: [stager] }))
    expect(status).toBe(404)
    expect(document).toMatchObject({ code: 'package-not-found' })
    await nothingThere()
  })

  it('accepts a file without a manifest when the request describes the package', async () => {
    const file = await zipOf([
      ['metadata', 'whatever'],
      [RESOURCE, tarballs.os],
    ])
    expect((await send(file)).document).toMatchObject({ status: 400, code: 'no-manifest' })
    await nothingThere()
    await imported(file, '?name=/acme::debian&provides=os.linux&provides=os.debian-12.1')
    expect((await there.ask<Package>('GET', '/v1/packages/%2Facme::debian')).document).toMatchObject({
      state: 'ready',
      provides: [os, { type: 'os', name: 'debian-12.1' }],
    })
  })

  const over = randomBytes(2000)
  const limited = manifestOf({ manifest: { resources: { memory_bytes: -1 } } })
  const template = { left_delimiter: '{{', right_delimiter: '}}' }
  it.each<[string, () => Promise<Buffer> | Buffer, number, string]>([
    ['what is no ZIP file', () => randomBytes(5000), 400, 'bad-exchange-file'],
    ['nothing', () => Buffer.alloc(0), 400, 'bad-exchange-file'],
    [
      'a file that is cut short',
      async () => (await exported('package=/apcera/pkg::ruby-2')).subarray(0, -30),
      400,
      'bad-exchange-file',
    ],
    ['another digest', () => fileOf(manifestOf(), Buffer.from(tarballs.os).fill(0, 5, 6)), 400, 'digest-mismatch'],
    ['another length', () => fileOf(manifestOf(), Buffer.concat([tarballs.os, tarballs.os])), 400, 'length-mismatch'],
    [
      'an archive that is refused',
      () => fileOf(manifestOf({}, Buffer.from('EVIL')), Buffer.from('EVIL')),
      400,
      'path-escapes',
    ],
    ['a resource that is not there', () => zipOf([[MANIFEST, JSON.stringify(manifestOf())]]), 400, 'bad-manifest'],
    ['a manifest that is no JSON', () => zipOf([[MANIFEST, '{']]), 400, 'bad-manifest'],
    ['a newer manifest', () => fileOf({ ...manifestOf(), version: 2 }), 400, 'manifest-too-new'],
    ['a field that nobody knows', () => fileOf(manifestOf({ evil: true })), 400, 'bad-manifest'],
    ['a manifest of an application with limits that are none', () => fileOf(limited), 400, 'bad-manifest'],
    [
      'a manifest of an application with a template outside of its package',
      () => fileOf(manifestOf({ manifest: { templates: [{ ...template, path: '../etc/passwd' }] } })),
      400,
      'bad-template',
    ],
    [
      'a manifest of an application with a start command that is none',
      () => fileOf(manifestOf({ manifest: { start_cmd: '' } })),
      400,
      'bad-command',
    ],
    ['a name that is none', () => fileOf(manifestOf({ fqn: 'package::/acme::../../etc' })), 400, 'bad-name'],
    [
      'a removal that climbs',
      () =>
        fileOf(
          manifestOf({
            resource: { ...manifestOf().packages[0]!.resource, removals: [{ kind: 'removed', path: '../etc' }] },
          }),
        ),
      400,
      'bad-removal',
    ],
    [
      'an entry that climbs',
      async () => renamed(await fileOf(manifestOf()), RESOURCE, '../../../tmp/RESOURCE_001.gz'),
      400,
      'bad-exchange-file',
    ],
    [
      'an absolute entry',
      async () => renamed(await fileOf(manifestOf()), RESOURCE, '/etc/cron.d/RESOURCE_001.gzz'),
      400,
      'bad-exchange-file',
    ],
    [
      'an entry twice',
      () =>
        zipOf([
          [MANIFEST, '{}'],
          [MANIFEST, '{}'],
        ]),
      400,
      'bad-exchange-file',
    ],
    [
      'two of a name',
      () => fileOf({ ...manifestOf(), packages: [...manifestOf().packages, ...manifestOf().packages] }),
      400,
      'same-name-twice',
    ],
    [
      'more than the quota',
      () => fileOf(manifestOf({ fqn: 'package::/small::one' }, over), over),
      403,
      'package-quota',
    ],
    [
      'a bomb',
      () =>
        zipOf(
          [
            [MANIFEST, JSON.stringify(manifestOf())],
            [RESOURCE, Buffer.alloc(60_000_000)],
          ],
          true,
        ),
      403,
      'package-quota',
    ],
  ])('refuses %s, and nothing of it shows', async (_what, make, status, code) => {
    const answer = await send(await make())
    expect(answer.document).toMatchObject({ status, code })
    expect(answer.status).toBe(status)
    await nothingThere()
    expect(await readdir(join(there.directory.path, 'blobs', 'new'))).toEqual([])
  })

  it('stores nothing when a client closes the connection while it sends', async () => {
    const file = await exported('package=/apcera/pkg::debian')
    const headers = { 'content-type': 'application/zip', 'content-length': file.length }
    const { request } = await there.connect('POST', '/v1/exchange', headers)
    request.write(file.subarray(0, 50_000))
    await until('it has begun', async () => (await readdir(there.directory.path)).includes('imports'))
    request.destroy()
    await nothingThere()
  })

  it('of a package that is being staged, or has no data, is refused before the first byte', async () => {
    await here.ask('POST', '/v1/packages', { namespace: '/', name: 'empty' })
    expect((await here.ask('GET', '/v1/exchange?package=/::empty')).document).toMatchObject({ code: 'package-empty' })
    expect((await here.ask('GET', '/v1/exchange')).document).toMatchObject({ status: 400, code: 'nothing-to-export' })
    expect((await here.ask('GET', '/v1/exchange?package=/::no')).status).toBe(404)
  })

  it('of a package whose data is damaged is refused before the first byte, and names it', async () => {
    const digest = digestOf(tarballs.ruby)
    const file = await open(join(here.directory.path, 'blobs', 'sha256', digest.slice(0, 2), digest), 'r+')
    await file.write(Buffer.of(tarballs.ruby[40_000]! ^ 1), 0, 1, 40_000)
    await file.close()
    for (let again = 0; again < 2; again++) {
      const { status, document } = await here.ask('GET', '/v1/exchange?pipeline=/apcera::ruby&with_dependencies=true')
      expect(status).toBe(500)
      expect(document).toMatchObject({
        code: 'blob-corrupt',
        detail: expect.stringMatching(/^package::\/apcera\/pkg::ruby-2 cannot be exported: .* is damaged/) as string,
      })
    }
    expect((await here.ask('GET', '/v1/exchange?package=/apcera/pkg::debian')).status).toBe(200)
  })
})
