import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Package } from '../../../daemon/documents/package.js'
import type { Pipeline } from '../../../daemon/documents/pipeline.js'
import type { Stager } from '../../../daemon/documents/stager.js'
import { ApiUnderTest, DEFAULT_LIMITS } from './api-under-test.js'

const draft = { namespace: '/acme', name: 'one', package: 'package::/acme::program', start_command: './stager' }
const ONE = encodeURIComponent('job::/acme::one')
const PIPE = encodeURIComponent('stagpipe::/acme::pipe')

describe('stagers and pipelines over the API', () => {
  let under: ApiUnderTest
  beforeEach(async () => {
    under = await ApiUnderTest.open()
    await under.ask('POST', '/v1/packages', { namespace: '/acme', name: 'program' })
  })
  afterEach(() => under.close())

  it('stagers are created with defaults for what the request omits', async () => {
    const { status, document } = await under.ask<Stager>('POST', '/v1/stagers', draft)
    expect(status).toBe(201)
    expect(document).toMatchObject({
      fqn: 'job::/acme::one',
      package: 'package::/acme::program',
      additive: false,
      allow_egress: false,
      user: 'runner',
      limits: { memory_bytes: DEFAULT_LIMITS.memoryBytes, timeout_ms: DEFAULT_LIMITS.timeoutMs },
      dependencies: [],
      expects: [],
      environment: {},
      clean_environment: false,
    })
    expect((await under.ask('GET', `/v1/stagers/${ONE}`)).document).toEqual(document)
    expect((await under.ask('GET', '/v1/stagers?namespace=/acme')).document).toEqual([document])
    expect((await under.ask('GET', '/v1/stagers?namespace=/other')).document).toEqual([])
  })

  const [node, ruby] = ['node', 'ruby'].map((name) => ({ type: 'runtime', name }))

  it('stagers change only in what the request sets, and follow their package when it is renamed', async () => {
    const made = await under.ask<Stager>('POST', '/v1/stagers', {
      ...draft,
      limits: { pids: 9 },
      additive: true,
      clean_environment: true,
      expects: [node, ruby],
    })
    await under.ask('PATCH', `/v1/packages/${encodeURIComponent('/acme::program')}`, { name: 'renamed' })
    const changed = await under.ask<Stager>('PATCH', `/v1/stagers/${ONE}`, {
      allow_egress: true,
      limits: { cpus: 0.5 },
      dependencies_add: [{ type: 'os', name: 'linux' }],
      expects_remove: [ruby],
      environment_set: { A: '1' },
    })
    expect(changed.document).toEqual({
      ...made.document,
      clean_environment: true,
      package: 'package::/acme::renamed',
      allow_egress: true,
      limits: { ...made.document.limits, pids: 9, cpus: 0.5 },
      dependencies: [{ type: 'os', name: 'linux' }],
      expects: [node],
      environment: { A: '1' },
      updated_at: changed.document.updated_at,
    })
  })

  it('a stager changes only if its variables are as the request expects: of changes at once, none is lost', async () => {
    await under.ask('POST', '/v1/stagers', draft)
    const appended = async (name: string): Promise<void> => {
      for (;;) {
        const { environment } = (await under.ask<Stager>('GET', `/v1/stagers/${ONE}`)).document
        const { status, code } = await under
          .ask<{ code?: string }>('PATCH', `/v1/stagers/${ONE}`, {
            environment_set: { LIST: [environment.LIST, name].filter(Boolean).join(' ') },
            environment_expected: { LIST: environment.LIST ?? null },
          })
          .then(({ status: found, document }) => ({ status: found, code: document.code }))
        if (status === 200) return
        expect([status, code]).toEqual([409, 'environment-changed'])
      }
    }
    const names = Array.from({ length: 8 }, (_, index) => `n${index}`)
    await Promise.all(names.map(appended))
    const { environment } = (await under.ask<Stager>('GET', `/v1/stagers/${ONE}`)).document
    expect(environment.LIST?.split(' ').sort()).toEqual(names)
  })

  it.each([
    [{ ...draft, package: 'package::/acme::nobody' }, 404, 'package-not-found'],
    [{ ...draft, start_command: '' }, 400, 'bad-document'],
    [{ ...draft, start_command: '  ' }, 400, 'bad-command'],
    [{ ...draft, user: '0; rm' }, 400, 'bad-user'],
    [{ ...draft, limits: { memory_bytes: 1 } }, 400, 'bad-document'],
    [{ ...draft, limits: { memory: 1 } }, 400, 'bad-document'],
    [{ ...draft, environment: { '1=': 'x' } }, 400, 'bad-environment-key'],
    [{ ...draft, dependencies: [{ type: 'os', name: '' }] }, 400, 'bad-document'],
    [{ ...draft, expects: [{ type: 'service', name: 'x' }] }, 400, 'bad-document'],
    [{ ...draft, expects: [{ type: 'runtime', name: 'a b' }] }, 400, 'bad-capability'],
  ])('the stager %j is refused', async (body, status, code) => {
    expect((await under.ask('POST', '/v1/stagers', body)).document).toMatchObject({ status, code })
  })

  it('a package that a stager uses is not deleted, nor a stager that a pipeline uses', async () => {
    await under.ask('POST', '/v1/stagers', draft)
    await under.ask('POST', '/v1/stagingpipelines', { namespace: '/acme', name: 'pipe', stagers: ['job::/acme::one'] })
    const program = encodeURIComponent('/acme::program')
    expect((await under.ask('DELETE', `/v1/packages/${program}`)).document).toMatchObject({
      status: 409,
      code: 'package-in-use',
      detail: /job::\/acme::one/,
    })
    expect((await under.ask('DELETE', `/v1/stagers/${ONE}`)).document).toMatchObject({ code: 'stager-in-use' })
    for (const path of [`stagingpipelines/${PIPE}`, `stagers/${ONE}`, `packages/${program}`])
      expect((await under.ask('DELETE', `/v1/${path}`)).status).toBe(204)
    expect((await under.ask<Package[]>('GET', '/v1/packages')).document).toEqual([])
  })

  it('pipelines are created, cloned, appended to and prepended to', async () => {
    for (const name of ['one', 'two', 'three']) await under.ask('POST', '/v1/stagers', { ...draft, name })
    const made = await under.ask<Pipeline>('POST', '/v1/stagingpipelines', {
      namespace: '/acme',
      name: 'pipe',
      stagers: ['job::/acme::one'],
    })
    expect(made).toMatchObject({
      status: 201,
      document: { fqn: 'stagpipe::/acme::pipe', stagers: ['job::/acme::one'] },
    })
    const changed = await under.ask<Pipeline>('PATCH', `/v1/stagingpipelines/${PIPE}`, {
      append: ['/acme::two'],
      prepend: ['/acme::three', '/acme::two'],
    })
    const order = ['three', 'two', 'one', 'two'].map((name) => `job::/acme::${name}`)
    expect(changed.document.stagers).toEqual(order)
    const clone = { namespace: '/acme', name: 'clone', clone: 'stagpipe::/acme::pipe' }
    expect((await under.ask<Pipeline>('POST', '/v1/stagingpipelines', clone)).document.stagers).toEqual(order)
    const listed = await under.ask<Pipeline[]>('GET', '/v1/stagingpipelines')
    expect(listed.document.map(({ name }) => name)).toEqual(['clone', 'pipe'])
  })

  it('a stager is taken out of a pipeline, by its position where the pipeline has it several times', async () => {
    for (const name of ['one', 'two']) await under.ask('POST', '/v1/stagers', { ...draft, name })
    const [one, two] = ['job::/acme::one', 'job::/acme::two']
    await under.ask('POST', '/v1/stagingpipelines', { namespace: '/acme', name: 'pipe', stagers: [one, two, one] })
    const remove = (stager: string, position?: number) =>
      under.ask<Pipeline>('PATCH', `/v1/stagingpipelines/${PIPE}`, { remove: { stager, position } })
    expect((await remove(one)).document).toMatchObject({ status: 409, code: 'stager-ambiguous' })
    expect((await remove(one, 2)).document).toMatchObject({ status: 400, code: 'bad-position' })
    expect((await remove(one, 3)).document.stagers).toEqual([one, two])
    expect((await remove(one)).document.stagers).toEqual([two])
    expect((await remove(one)).document).toMatchObject({ status: 404, code: 'stager-not-in-pipeline' })
    expect((await remove(two)).document).toMatchObject({ status: 400, code: 'empty-pipeline' })
    expect((await under.ask<Pipeline>('GET', `/v1/stagingpipelines/${PIPE}`)).document.stagers).toEqual([two])
  })

  it('signs of a pipeline are kept, changed, cloned and refused', async () => {
    await under.ask('POST', '/v1/stagers', draft)
    const body = { namespace: '/acme', name: 'pipe', stagers: ['job::/acme::one'] }
    const made = await under.ask<Pipeline>('POST', '/v1/stagingpipelines', { ...body, signs: ['*.tf', 'x', '*.tf'] })
    expect(made.document.signs).toEqual(['*.tf', 'x'])
    const change = (document: object) => under.ask<Pipeline>('PATCH', `/v1/stagingpipelines/${PIPE}`, document)
    expect((await change({ append: ['job::/acme::one'] })).document.signs).toEqual(['*.tf', 'x'])
    expect((await change({ signs_add: ['charts/', 'x'], signs_remove: ['*.tf'] })).document).toMatchObject({
      stagers: ['job::/acme::one', 'job::/acme::one'],
      signs: ['x', 'charts/'],
    })
    expect((await change({ signs_remove: ['y'] })).document).toMatchObject({
      status: 404,
      code: 'sign-not-in-pipeline',
      detail: 'stagpipe::/acme::pipe does not have the sign "y": its own signs are x, charts/.',
    })
    const clone = { namespace: '/acme', name: 'clone', clone: 'stagpipe::/acme::pipe' }
    expect((await under.ask<Pipeline>('POST', '/v1/stagingpipelines', clone)).document.signs).toEqual(['x', 'charts/'])
    const other = { ...clone, name: 'other', signs: [] }
    expect((await under.ask<Pipeline>('POST', '/v1/stagingpipelines', other)).document.signs).toEqual([])
  })

  it.each([
    '',
    '/',
    '*',
    '**',
    '*/',
    'a/b',
    '/a',
    '..',
    '?.tf',
    '[ab]',
    '{a,b}',
    'a\\b',
    ' a',
    'a\n',
    '\u0007',
    'x'.repeat(257),
  ])('the sign %j is refused', async (sign) => {
    await under.ask('POST', '/v1/stagers', draft)
    const body = { namespace: '/acme', name: 'pipe', stagers: ['job::/acme::one'], signs: [sign] }
    expect((await under.ask('POST', '/v1/stagingpipelines', body)).document).toMatchObject({
      status: 400,
      code: 'bad-sign',
    })
  })

  it('a pipeline has at most 64 signs', async () => {
    await under.ask('POST', '/v1/stagers', draft)
    const signs = Array.from({ length: 65 }, (_one, index) => `sign-${index}`)
    const body = { namespace: '/acme', name: 'pipe', stagers: ['job::/acme::one'] }
    expect((await under.ask('POST', '/v1/stagingpipelines', { ...body, signs })).document).toMatchObject({
      code: 'bad-sign',
    })
    expect((await under.ask('POST', '/v1/stagingpipelines', { ...body, signs: signs.slice(1) })).status).toBe(201)
  })

  it('what only stagerd uses is listed for those who ask for its namespace', async () => {
    const namespace = '/apcera/internal'
    await under.ask('POST', '/v1/stagers', draft)
    await under.ask('POST', '/v1/stagers', { ...draft, namespace })
    for (const where of ['/acme', namespace])
      await under.ask('POST', '/v1/stagingpipelines', { namespace: where, name: 'pipe', stagers: ['job::/acme::one'] })
    const listed = async (url: string) =>
      (await under.ask<{ fqn: string }[]>('GET', url)).document.map(({ fqn }) => fqn)
    expect(await listed('/v1/stagers')).toEqual(['job::/acme::one'])
    expect(await listed('/v1/stagingpipelines')).toEqual(['stagpipe::/acme::pipe'])
    expect(await listed('/v1/stagingpipelines?namespace=/apcera')).toEqual([])
    expect(await listed(`/v1/stagers?namespace=${namespace}`)).toEqual([`job::${namespace}::one`])
    expect(await listed(`/v1/stagingpipelines?namespace=${namespace}`)).toEqual([`stagpipe::${namespace}::pipe`])
  })

  it.each([
    [{ stagers: ['job::/acme::nobody'] }, 404, 'stager-not-found'],
    [{ clone: 'stagpipe::/acme::nobody' }, 404, 'pipeline-not-found'],
    [{ stagers: [] }, 400, 'bad-document'],
    [{}, 400, 'bad-document'],
    [{ stagers: ['job::/acme::one'], clone: 'stagpipe::/acme::pipe' }, 400, 'bad-document'],
    [{ stagers: ['one'] }, 400, 'bad-ref'],
  ])('a pipeline of %j is refused', async (body, status, code) => {
    const answer = await under.ask('POST', '/v1/stagingpipelines', { namespace: '/acme', name: 'pipe', ...body })
    expect(answer.document).toMatchObject({ status, code })
  })
})
