import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call } from '../../support/staging-harness.js'
import { differences } from '../support/canary.js'
import { Figures, figures } from '../support/promises.js'
import { MARK, TenantNode, type Things } from '../support/tenant-node.js'
import { BAD_CREDENTIALS, NEAR_NAMESPACES } from './credentials.js'
import type { Kind, Own, Reach } from './reach.js'
import { REACHES } from './tenants.js'

const THEIRS = '/acme'
const OWN = '/evil'

/** References to what is not there, in the same forms. */
const ABSENT_UUID = '5f0c6d0e-9a3f-4c55-8d0b-0d8cf1a5a6a7'
const absentOf = (ref: string, kind: Reach['kind']): string => {
  if (kind === 'namespace') return '/nobody'
  if (kind === 'resource') return 'f0'.repeat(32)
  return ref.includes('::') ? ref.replace(/[^:]+$/, 'absent') : ABSENT_UUID
}

/** What there must be to be reached. */
const NEEDED: Partial<Readonly<Record<Reach['kind'], readonly Reach['kind'][]>>> = {
  staging: ['staging'],
  run: ['run'],
  webhook: [],
  resource: [],
  job: [],
}

let node: TenantNode
let theirs: Things
let own: Own
let token: string
beforeAll(async () => {
  node = await TenantNode.start()
  theirs = await node.things(THEIRS)
  own = await node.own(OWN)
  token = await node.token('write', OWN)
})
afterAll(() => node.close())

/**
 * One reach, with a reference to what is there and one to what is not: the answers must not tell the two apart, nor show
 * anything of the other tenant, nor change it. Throws otherwise.
 */
async function check(
  one: Reach,
  ref: string,
  by: string,
  of = { namespace: THEIRS, own },
  recorder: Figures = figures,
) {
  const absent = absentOf(ref, one.kind)
  const before = await node.stateOf(of.namespace)
  const [there, missing] = [
    await node.asTenant(by, one.ask(ref, of.own)),
    await node.asTenant(by, one.ask(absent, of.own)),
  ]
  const inWordsOfAbsent = ({ text }: typeof there, spoken: string) =>
    text.replaceAll(new RegExp(escaped(spoken), 'gi'), absent).replaceAll(/::n\d+/g, '::n')
  const found = [
    ...differences(
      { status: String(missing.status), text: inWordsOfAbsent(missing, absent) },
      { status: String(there.status), text: inWordsOfAbsent(there, ref) },
    ),
    ...(there.text.includes(MARK) ? [`the answer shows what only its owner knows: ${there.text.slice(0, 300)}`] : []),
    ...differences(before, await node.stateOf(of.namespace)),
  ]
  recorder.check('escape', `a tenant that ${one.what} of another, by ${ref}`, found)
  return { there, missing }
}

const escaped = (text: string) => text.replaceAll(/[/\\^$*+?.()|[\]{}]/g, String.raw`\$&`)

describe('a tenant that reaches for what another has', () => {
  it('has many ways to name it', () => {
    expect(REACHES.length).toBeGreaterThan(70)
  })

  it.each(REACHES)('gets the answer for what is not there: $what', async (one) => {
    for (const ref of theirs[one.kind]) {
      const { there } = await check(one, ref, token)
      // Lists, and the question which pipeline fits, are about what the tenant can see.
      const isSelective = /^\/v1\/[a-z-]+\?|detections/.test(one.ask(ref, own).url) && there.status === 200
      if (!isSelective) expect(there).toMatchObject({ status: one.kind === 'namespace' ? 403 : 404 })
    }
  })

  it.each(NEAR_NAMESPACES)('has nothing to change in %j', async (namespace) => {
    for (const one of REACHES.filter(({ kind, ask }) => kind === 'namespace' && ask('/x', own).method !== 'GET')) {
      if (one.ask('/x', own).url === '/v1/detections') continue
      const before = await node.stateOf('')
      const { status } = await node.asTenant(token, one.ask(namespace, own))
      expect([one.what, status]).toEqual([one.what, expect.toBeOneOf([400, 403])])
      figures.check('escape', `a tenant that ${one.what} ${namespace}`, differences(before, await node.stateOf('')))
    }
  })

  // Each of them reaches what it asks for when a token is for both namespaces. So none was refused for another reason.
  describe('would reach it, were the namespaces not kept apart', () => {
    let [planted, both]: [Things | undefined, string] = [undefined, '']
    beforeAll(async () => void (both = await node.token('write', '/planted')))

    it.each(REACHES)('$what', async (one) => {
      const isReading = one.ask('/x', own).method === 'GET'
      // What only reads can be planted once for all.
      const namespace = isReading ? '/planted/theirs' : `/planted/${node.name()}`
      if (isReading) planted ??= await node.things(namespace)
      const of = { namespace, own: await node.own('/planted/own') }
      const things = isReading ? planted : await node.things(namespace, NEEDED[one.kind] ?? ['package'])
      const [ref = ''] = things?.[one.kind] ?? []
      if (one.kind === 'namespace') expect((await node.asTenant(both, one.ask(ref, of.own))).status).toBeLessThan(300)
      else await expect(check(one, ref, both, of, new Figures(undefined))).rejects.toThrow(/^escape: /)
    })
  })
})

describe('a tenant that does the same as another', () => {
  const SHARED = '/apcera/shared'
  const given: { readonly environment: unknown; readonly cache: readonly string[]; readonly secrets: number }[] = []
  let pipeline: string
  let source: Buffer
  beforeAll(async () => {
    node.daemon.isolation.stagers.set('./shared', async ({ url, plan, cache, secrets, print }) => {
      given.push({ environment: plan.environment, cache: [...cache.values()], secrets: secrets.size })
      const { environment } = JSON.parse(await call(url, 'GET /meta')) as { environment: { A?: string } }
      await print(environment.A ?? 'nobody')
      cache.set('of', environment.A ?? 'nobody')
      await call(url, 'POST /done')
    })
    const os = node.name()
    const provides = [{ type: 'os', name: os }]
    const resource = await node.upload(SHARED)
    await node.make('POST', '/v1/packages', { namespace: SHARED, name: os, resource, state: 'ready', provides })
    const draft = { namespace: SHARED, name: os, package: `package::${SHARED}::${os}`, start_command: './shared' }
    await node.make('POST', '/v1/stagers', { ...draft, secrets: ['KEY'], reproducible: true })
    pipeline = `stagpipe::${SHARED}::${os}`
    await node.make('POST', '/v1/stagingpipelines', { namespace: SHARED, name: os, stagers: [`job::${SHARED}::${os}`] })
    source = node.archive('the very same source')
  })

  /** A package of a tenant with this source, staged by the pipeline that both can see. */
  const staged = async (namespace: string, environment: Record<string, string>, secrets = {}) => {
    const name = 'same'
    const resource = await node.upload(namespace, source)
    await node.make('POST', '/v1/packages', { namespace, name, resource, environment })
    const ref = `package::${namespace}::${name}`
    const uuid = await node.stage({ package: ref, pipeline, secrets })
    return await node.make<{ uuid: string; state: string; reused?: string; launches: unknown[] }>(
      'GET',
      `/v1/stagings/${uuid}`,
    )
  }

  it('gets no result, cache, variable, secret or log line of the other', async () => {
    expect(await staged('/same/first', { A: MARK }, { KEY: Buffer.from(MARK).toString('base64') })).toMatchObject({
      state: 'succeeded',
    })
    // Without secrets, so that there is a result and a cache to be taken for that of another.
    expect(await staged('/same/second', { A: MARK })).toMatchObject({ state: 'succeeded' })
    const last = await staged(OWN, {})
    const log = await node.asTenant(token, { method: 'GET', url: `/v1/stagings/${last.uuid}/log?follow=false` })
    figures.check('escape', 'the staging of a source that others have staged', [
      ...(last.reused === undefined && last.launches.length === 1 ? [] : [`it was answered by ${last.reused}`]),
      ...[given.at(-1), log.text]
        .filter((seen) => JSON.stringify(seen).includes(MARK))
        .map((seen) => JSON.stringify(seen)),
      ...(given.at(-1)?.secrets === 0 ? [] : ['it was given secrets']),
    ])
    // The others were seen, so that there was something to be seen.
    expect(given.slice(0, 2)).toEqual([
      expect.objectContaining({ secrets: 1 }),
      expect.objectContaining({ environment: expect.objectContaining({ A: MARK }) as unknown }),
    ])
  })

  it('is not told by an upload whether others have the data', async () => {
    const [known, unknown] = [node.archive('of one tenant'), node.archive('of nobody')]
    await node.upload(THEIRS, known)
    const upload = (body: Buffer) =>
      node.asTenant(token, { method: 'POST', url: `/v1/resources?namespace=${OWN}`, body })
    const [first, second] = [await upload(known), await upload(unknown)]
    const shape = ({ status, text }: typeof first) =>
      `${status} ${text.replace(/[0-9a-f]{64}/, '').replace(/"length":\d+/, '')}`
    figures.check('escape', 'an upload of data that others have', shape(first) === shape(second) ? [] : [first.text])
  })

  it.each(['/metrics', '/readyz', '/openapi.json', '/v1/stagings?limit=1000', '/v1/webhooks', '/v1/packages'])(
    'is told nothing of others by %s',
    async (url) => {
      const { status, text } = await node.asTenant(token, { method: 'GET', url })
      expect(status).toBe(200)
      const seen = [MARK, '/acme::', '/same/', ...theirs.staging, ...theirs.run].filter((one) => text.includes(one))
      figures.check('escape', `the answer of ${url}`, seen)
    },
  )
})

describe('what is no right to something', () => {
  it.each(Object.entries(BAD_CREDENTIALS))('%s opens nothing', async (what, headers) => {
    const reader = await node.token('read', THEIRS)
    const filled = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [
        name,
        typeof value === 'string' ? value.replace('TOKEN', reader) : value.map((one) => one.replace('TOKEN', reader)),
      ]),
    )
    const { status, text } = await node.ask({ method: 'GET', url: '/v1/packages' }, filled)
    figures.check('escape', `a request with ${what}`, status === 401 || status === 429 ? [] : [`${status} ${text}`])
    // Whatever was wrong before, a valid token is heard.
    expect(await node.asTenant(reader, { method: 'GET', url: '/v1/packages' })).toMatchObject({ status: 200 })
  })

  it.each([
    ['X-HTTP-Method-Override', 'GET'],
    ['X-Original-Method', 'GET'],
    ['X-Original-URL', '/healthz'],
    ['X-Rewrite-URL', '/healthz'],
  ])('a token that may read does not write by %s: %s', async (name, value) => {
    const authorization = `Bearer ${await node.token('read', OWN)}`
    const sent = REACHES.filter(
      ({ what }) => /^(deletes|changes|puts a package)/.test(what) && !what.includes('webhook'),
    )
    for (const one of sent) {
      const before = await node.stateOf(OWN)
      const mine: Partial<Record<Kind, string>> = { job: own.stager, stagpipe: own.pipeline, namespace: OWN }
      const { status } = await node.ask(one.ask(mine[one.kind] ?? own.package, own), { authorization, [name]: value })
      expect([one.what, status]).toEqual([one.what, 403])
      figures.check('escape', `a reader that ${one.what}`, differences(before, await node.stateOf(OWN)))
    }
  })

  it('a token that was revoked, or never made, opens nothing', async () => {
    const name = node.name()
    const made = await node.make('POST', '/v1/tokens', { name, access: 'write', namespaces: [OWN] })
    const ask = () => node.asTenant(made.token ?? '', { method: 'GET', url: '/v1/packages' })
    expect(await ask()).toMatchObject({ status: 200 })
    await node.make('DELETE', `/v1/tokens/${name}`)
    const { status } = await ask()
    figures.check('escape', 'a revoked token', status === 401 || status === 429 ? [] : [String(status)])
  })
})
