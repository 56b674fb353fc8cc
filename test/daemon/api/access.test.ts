import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { TokenCallers } from '../../../daemon/access/callers.js'
import { FailedLogins } from '../../../daemon/access/failed-logins.js'
import { makeSecret } from '../../../daemon/access/secret.js'
import { figures } from '../../hostile/support/promises.js'
import { AccessClient, FOREIGN, makeToken, OWN, REQUESTS, TARBALL, type Received } from './access-requests.js'
import { openRoutes } from './api-client.js'
import { ApiUnderTest } from './api-under-test.js'

interface Operation {
  readonly method: string
  readonly id: string
  readonly access: string
}

/** An answer of one of these lasts as long as its program. */
const STREAMS = ['startRun', 'startDropletRun']

describe('every route of the OpenAPI document', () => {
  let under: ApiUnderTest
  let client: AccessClient
  let operations: Operation[]
  let tokens: Readonly<Record<string, string | undefined>>
  beforeAll(async () => {
    // Wrong tokens are part of these tests.
    const failures = new FailedLogins()
    failures.add = () => false
    under = await ApiUnderTest.open({ callers: ({ tokens: stored }) => new TokenCallers(stored, failures) })
    client = await AccessClient.open(under)
    tokens = {
      none: undefined,
      unknown: makeSecret(),
      expired: await makeToken(under, {
        access: 'administrator',
        namespaces: [],
        expiresAt: '2020-02-01T00:00:00.000Z',
      }),
      foreign: await makeToken(under, { access: 'write', namespaces: [FOREIGN, `${OWN}-2`] }),
      read: await makeToken(under, { access: 'read', namespaces: [OWN] }),
      write: await makeToken(under, { access: 'write', namespaces: [OWN] }),
      administrator: client.administrator,
    }
    operations = await operationsOf(client)
  })
  afterAll(() => under.close())

  const ask = async (holder: string, { method, id }: Operation): Promise<Received> => {
    const make = REQUESTS[id]
    if (!make) throw new Error(`There is no request for the operation ${id}: add one to access-requests.ts.`)
    const { url, body } = await make(client)
    return client.send(method, url, tokens[holder], body, STREAMS.includes(id))
  }

  it('declares its access, and the table has a request for it', () => {
    expect(operations.map(({ id }) => id).sort()).toEqual(Object.keys(REQUESTS).sort())
    expect(operations.filter(({ access }) => access === 'everybody').map(({ id }) => id)).toEqual(['checkHealth'])
  })

  it.each(['none', 'unknown', 'expired'])('asks for a token: %s', async (holder) => {
    const codes = { none: 'token-missing', unknown: 'token-invalid', expired: 'token-expired' }
    for (const operation of operations) {
      const { status, code, headers } = await ask(holder, operation)
      if (operation.access === 'everybody') expect({ ...operation, status }).toMatchObject({ status: 200 })
      else
        expect({ ...operation, status, code, header: headers['www-authenticate'] }).toEqual({
          ...operation,
          status: 401,
          code: codes[holder as keyof typeof codes],
          header: 'Bearer',
        })
    }
  })

  it('asks for a token where there is no route, and for the head of an answer, too', async () => {
    const statusOf = async (method: string, url: string) => {
      const { request, answer } = await under.connect(method, url)
      request.end()
      return (await answer).resume().statusCode
    }
    expect(await statusOf('GET', '/v1/no-such-route')).toBe(401)
    for (const { id } of operations.filter(({ method, id }) => method === 'GET' && id !== 'checkHealth'))
      expect([id, await statusOf('HEAD', (await REQUESTS[id]?.(client))?.url ?? '')]).toEqual([id, 401])
  })

  it('answers each token by what it is for', async () => {
    const rows: string[] = []
    for (const operation of operations) {
      const cells: string[] = []
      for (const holder of ['foreign', 'read', 'write', 'administrator']) {
        const answer = await ask(holder, operation)
        cells.push(answer.code === undefined ? String(answer.status) : `${answer.status} ${answer.code}`)
        // A refusal repeats what was asked for, and an answer shows nothing of it.
        if (holder === 'foreign') {
          const leaks = answer.code === undefined && /\/acme::/.test(answer.text)
          figures.check('escape', `${operation.id} with a token of another namespace`, leaks ? [answer.text] : [])
        }
      }
      rows.push([`${operation.id} (${operation.access})`, ...cells].join(' | '))
    }
    expect(rows.sort()).toMatchInlineSnapshot(`
      [
        "assembleSource (write) | 404 package-not-found | 403 token-read-only | 400 bad-composition | 400 bad-composition",
        "attachResource (write) | 404 package-not-found | 403 token-read-only | 200 | 200",
        "backUpNode (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "cancelBootstrap (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 409 bootstrap-ended",
        "cancelStaging (write) | 404 staging-not-found | 403 token-read-only | 202 | 202",
        "checkHealth (everybody) | 200 | 200 | 200 | 200",
        "checkReadiness (any token) | 200 | 200 | 200 | 200",
        "checkReceivers (any token) | 204 | 204 | 204 | 204",
        "clearStagerCaches (write) | 403 namespace-forbidden | 403 token-read-only | 200 | 200",
        "collectGarbage (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "compareResults (read) | 404 package-not-found | 404 no-such-result | 404 no-such-result | 404 no-such-result",
        "createPackage (write) | 403 namespace-forbidden | 403 token-read-only | 201 | 201",
        "createPackageFromImage (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 404 no-such-image",
        "createPipeline (write) | 403 namespace-forbidden | 403 token-read-only | 201 | 201",
        "createPolicy (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 201",
        "createStager (write) | 403 namespace-forbidden | 403 token-read-only | 201 | 201",
        "createStaging (write) | 404 package-not-found | 403 token-read-only | 201 | 201",
        "createToken (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 201",
        "createWebhook (write) | 403 namespace-forbidden | 403 token-read-only | 201 | 201",
        "deletePackage (write) | 404 package-not-found | 403 token-read-only | 204 | 204",
        "deletePipeline (write) | 404 pipeline-not-found | 403 token-read-only | 204 | 204",
        "deletePolicy (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 204",
        "deleteStager (write) | 404 stager-not-found | 403 token-read-only | 204 | 204",
        "deleteWebhook (write) | 404 webhook-not-found | 403 token-read-only | 200 | 200",
        "detectPipeline (any token) | 200 | 200 | 200 | 200",
        "downloadDroplet (read) | 404 package-not-found | 400 no-start-command | 400 no-start-command | 400 no-start-command",
        "downloadPackage (read) | 404 package-not-found | 200 | 200 | 200",
        "drainFleetNode (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "drainNode (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "examineNode (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "exportSet (read) | 404 package-not-found | 200 | 200 | 200",
        "findLackingSegments (read) | 404 package-not-found | 200 | 200 | 200",
        "followBootstrapLog (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "followStagingLog (read) | 404 staging-not-found | 200 | 200 | 200",
        "importSet (write) | 403 namespace-forbidden | 403 token-read-only | 201 | 201",
        "listBootstraps (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "listNodes (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "listPackages (any token) | 200 | 200 | 200 | 200",
        "listPipelines (any token) | 200 | 200 | 200 | 200",
        "listPolicies (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "listPolicyVersions (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "listResults (read) | 404 package-not-found | 200 | 200 | 200",
        "listStagerCaches (any token) | 200 | 200 | 200 | 200",
        "listStagerSecrets (read) | 404 stager-not-found | 200 | 200 | 200",
        "listStagers (any token) | 200 | 200 | 200 | 200",
        "listStagings (any token) | 200 | 200 | 200 | 200",
        "listTokens (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "listWebhooks (any token) | 200 | 200 | 200 | 200",
        "openShell (write) | 404 staging-not-found | 403 token-read-only | 404 not-kept | 404 not-kept",
        "parseBuildScript (any token) | 400 bad-syntax | 400 bad-syntax | 400 bad-syntax | 400 bad-syntax",
        "parseManifest (any token) | 200 | 200 | 200 | 200",
        "readMetrics (any token) | 200 | 200 | 200 | 200",
        "releaseStaging (write) | 404 staging-not-found | 403 token-read-only | 404 not-kept | 404 not-kept",
        "removeNode (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "removeStagerSecret (write) | 404 stager-not-found | 403 token-read-only | 204 | 204",
        "replacePackageContent (write) | 404 package-not-found | 403 token-read-only | 200 | 200",
        "resizeShell (write) | 404 staging-not-found | 403 token-read-only | 404 shell-not-found | 404 shell-not-found",
        "resolvePackages (read) | 404 package-not-found | 200 | 200 | 200",
        "restoreNode (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 409 store-not-empty",
        "retryStaging (write) | 404 staging-not-found | 403 token-read-only | 201 | 201",
        "revokeToken (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "rollBackPackage (write) | 404 package-not-found | 403 token-read-only | 404 no-such-result | 404 no-such-result",
        "sendRunInput (write) | 404 run-not-found | 403 token-read-only | 409 no-input | 409 no-input",
        "sendShellInput (write) | 404 staging-not-found | 403 token-read-only | 404 shell-not-found | 404 shell-not-found",
        "setStagerSecret (write) | 404 stager-not-found | 403 token-read-only | 200 | 200",
        "showBootstrap (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "showFleetNode (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "showNode (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "showPackage (read) | 404 package-not-found | 200 | 200 | 200",
        "showPipeline (read) | 404 pipeline-not-found | 200 | 200 | 200",
        "showPolicy (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "showResource (read) | 404 resource-not-found | 200 | 200 | 200",
        "showStager (read) | 404 stager-not-found | 200 | 200 | 200",
        "showStaging (read) | 404 staging-not-found | 200 | 200 | 200",
        "startBootstrap (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 202",
        "startDropletRun (write) | 403 namespace-forbidden | 403 token-read-only | 200 | 200",
        "startRun (write) | 404 package-not-found | 403 token-read-only | 200 | 200",
        "stopRun (write) | 404 run-not-found | 403 token-read-only | 204 | 204",
        "testWebhook (write) | 404 webhook-not-found | 403 token-read-only | 200 | 200",
        "undrainFleetNode (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "undrainNode (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "updatePackage (write) | 404 package-not-found | 403 token-read-only | 200 | 200",
        "updatePipeline (write) | 404 pipeline-not-found | 403 token-read-only | 200 | 200",
        "updatePolicy (administrator) | 403 administrator-only | 403 administrator-only | 403 administrator-only | 200",
        "updateStager (write) | 404 stager-not-found | 403 token-read-only | 200 | 200",
        "uploadDroplet (write) | 403 namespace-forbidden | 403 token-read-only | 201 | 201",
        "uploadResource (write) | 403 namespace-forbidden | 403 token-read-only | 201 | 201",
      ]
    `)
  })
})

describe('a token', () => {
  let under: ApiUnderTest
  let client: AccessClient
  beforeAll(async () => {
    under = await ApiUnderTest.open({ callers: ({ tokens }) => new TokenCallers(tokens) })
    client = await AccessClient.open(under)
  })
  afterAll(() => under.close())

  const document = ({ text }: Received) => JSON.parse(text) as Record<string, unknown>

  it('that may not see something gets the answer for what is not there', async () => {
    const token = await makeToken(under, { access: 'write', namespaces: [FOREIGN] })
    const hidden = {
      packages: (await client.package()).replace(/^.*::/, ''),
      stagers: (await client.stager()).replace(/^.*::/, ''),
      stagingpipelines: (await client.pipeline()).replace(/^.*::/, ''),
    }
    const kinds = { packages: 'package', stagers: 'job', stagingpipelines: 'stagpipe' }
    for (const [path, name] of Object.entries(hidden)) {
      const url = (one: string) =>
        `/v1/${path}/${encodeURIComponent(`${kinds[path as keyof typeof kinds]}::${OWN}::${one}`)}`
      const [there, absent] = [
        await client.send('GET', url(name), token),
        await client.send('GET', url('absent'), token),
      ]
      expect(there.status).toBe(404)
      expect(there.text.replaceAll(name, 'absent')).toBe(absent.text)
    }
    const absent = '5f0c6d0e-9a3f-4c55-8d0b-0d8cf1a5a6a7'
    for (const [path, id] of [
      ['packages', (await under.store.packages.list({}))[0]?.uuid ?? ''],
      ['stagings', await client.staging()],
    ] as const) {
      const [there, missing] = [
        await client.send('GET', `/v1/${path}/${id}`, token),
        await client.send('GET', `/v1/${path}/${absent}`, token),
      ]
      expect(there.text.replaceAll(id, absent)).toBe(missing.text)
      expect(there.status).toBe(404)
    }
  })

  it('sees the shared namespace, and changes nothing there', async () => {
    const token = await makeToken(under, { access: 'write', namespaces: [OWN] })
    const body = { namespace: '/apcera/pkg/os', name: 'debian' }
    expect(await client.send('POST', '/v1/packages', client.administrator, body)).toMatchObject({ status: 201 })
    const url = `/v1/packages/${encodeURIComponent('package::/apcera/pkg/os::debian')}`
    expect(await client.send('GET', url, token)).toMatchObject({ status: 200 })
    expect(await client.send('DELETE', url, token)).toMatchObject({ status: 403, code: 'namespace-forbidden' })
    expect(document(await client.send('POST', '/v1/packages', token, { ...body, name: 'mine' })).detail).toMatch(
      /^The token ".*" may not change anything in "\/apcera\/pkg\/os": it is for \/acme, so use a token for that namespace\.$/,
    )
  })

  it('does not get the data of others by their digest, but what it has uploaded itself', async () => {
    const token = await makeToken(under, { access: 'write', namespaces: [FOREIGN] })
    const draft = { namespace: FOREIGN, name: 'theft', resource: client.data }
    expect(await client.send('GET', `/v1/resources/${client.data}`, token)).toMatchObject({ status: 404 })
    expect(await client.send('POST', '/v1/packages', token, draft)).toMatchObject({
      status: 404,
      code: 'resource-not-found',
    })
    expect(await client.send('POST', '/v1/resources', token, TARBALL)).toMatchObject({ code: 'namespace-forbidden' })
    expect(await client.send('POST', `/v1/resources?namespace=${FOREIGN}`, token, TARBALL)).toMatchObject({
      status: 201,
    })
    expect(await client.send('POST', '/v1/packages', token, draft)).toMatchObject({ status: 201 })
  })

  it('gets as many stagings as it asks for, however many others there are', async () => {
    const token = await makeToken(under, { access: 'read', namespaces: [OWN] })
    const own = await client.staging()
    await client.send('POST', '/v1/packages', client.administrator, {
      namespace: FOREIGN,
      name: 'busy',
      resource: client.data,
    })
    const later = { package: `package::${FOREIGN}::busy`, pipeline: await client.pipeline() }
    expect(await client.send('POST', '/v1/stagings', client.administrator, later)).toMatchObject({ status: 201 })
    const listed = await client.send('GET', '/v1/stagings?limit=1', token)
    expect(JSON.parse(listed.text)).toMatchObject([{ uuid: own }])
  })

  it('cannot import what refers to things of others', async () => {
    const token = await makeToken(under, { access: 'write', namespaces: [FOREIGN] })
    const url = `/v1/exchange?pipeline=${encodeURIComponent(await client.pipeline())}`
    expect(await client.send('GET', url, token)).toMatchObject({ status: 404 })
    const file = await client.exported()
    expect(await client.send('POST', '/v1/exchange', token, file)).toMatchObject({ code: 'namespace-forbidden' })
    const own = await makeToken(under, { access: 'write', namespaces: [`${FOREIGN}/team`] })
    expect(await client.send('POST', `/v1/exchange?namespace=${FOREIGN}/team`, own, file)).toMatchObject({
      status: 201,
    })
  })

  it('is shown once, and no list, log or error has it', async () => {
    const name = client.name()
    const made = await client.send('POST', '/v1/tokens', client.administrator, {
      name,
      access: 'write',
      namespaces: [OWN],
      lifetime_ms: 60_000,
    })
    const { token: secret, uuid } = document(made) as { token: string; uuid: string }
    expect(made.headers['cache-control']).toBe('no-store')
    expect(await client.send('GET', '/v1/packages', secret)).toMatchObject({ status: 200 })
    expect(await client.send('DELETE', '/v1/packages/wrong', secret)).toMatchObject({ status: 400 })
    const listed = await client.send('GET', '/v1/tokens', client.administrator)
    expect(listed.text).toContain(uuid)
    expect(
      await client.send('POST', '/v1/tokens', client.administrator, { name, access: 'read', namespaces: ['/'] }),
    ).toMatchObject({ status: 409, code: 'token-exists' })
    expect(await client.send('DELETE', `/v1/tokens/${name}`, client.administrator)).toMatchObject({ status: 200 })
    const after = await client.send('GET', '/v1/packages', secret)
    expect(after).toMatchObject({ status: 401, code: 'token-invalid' })
    for (const shown of [listed.text, after.text, under.logged.join('')]) expect(shown).not.toContain(secret)
    const stored = await readFile(join(under.directory.path, 'stagerd.db-wal'), 'latin1')
    expect(stored).toContain(name)
    expect(stored).not.toContain(secret)
  })

  it('that is wrong is refused, and an address that sends many must wait, but a valid token is heard', async () => {
    const fresh = await ApiUnderTest.open({ callers: ({ tokens }) => new TokenCallers(tokens) })
    onTestFinished(() => fresh.close())
    const guesser = await AccessClient.open(fresh)
    for (let count = 0; count < 10; count += 1)
      expect(await guesser.send('GET', '/v1/packages', makeSecret())).toMatchObject({ status: 401 })
    const blocked = await guesser.send('GET', '/v1/packages', makeSecret())
    expect(blocked).toMatchObject({ status: 429, code: 'too-many-failures', headers: { 'retry-after': '60' } })
    expect(await guesser.send('GET', '/v1/packages', guesser.administrator)).toMatchObject({ status: 200 })
    const failures = fresh.logged.filter((line) => line.includes('"operation":"login"'))
    expect(failures).toHaveLength(10)
    expect(JSON.parse(failures[0] ?? '')).toMatchObject({
      msg: 'audit',
      audit: { operation: 'login', by: 'nobody', outcome: 'refused', code: 'token-invalid' },
    })
  })

  it('leaves a line in the log for each change, with its name and the outcome', async () => {
    const name = client.name()
    const token = await makeToken(under, { name, access: 'write', namespaces: [OWN] })
    const draft = { namespace: OWN, name: client.name() }
    const { uuid } = document(await client.send('POST', '/v1/packages', token, draft)) as { uuid: string }
    await client.send('POST', '/v1/packages', token, draft)
    await client.send('GET', `/v1/packages/${uuid}`, token)
    await client.send('DELETE', `/v1/packages/${uuid}`, token)
    await client.send('POST', '/v1/packages', token, { ...draft, namespace: FOREIGN })
    await client.send('POST', '/v1/node/gc', token, { dry_run: true })
    const lines = under.logged.map((line) => JSON.parse(line) as { audit?: Record<string, unknown> })
    const fqn = `package::${OWN}::${draft.name}`
    const by = { by: 'token', token: name }
    expect(lines.flatMap(({ audit }) => (audit?.token === name ? [audit] : []))).toMatchObject([
      { ...by, operation: 'createPackage', targets: [fqn], outcome: 'done', status: 201, made: `/v1/packages/${uuid}` },
      { ...by, operation: 'createPackage', targets: [fqn], outcome: 'refused', status: 409, code: 'package-exists' },
      { ...by, operation: 'deletePackage', targets: [fqn], outcome: 'done', status: 204 },
      {
        ...by,
        operation: 'createPackage',
        targets: [`package::${FOREIGN}::${draft.name}`],
        outcome: 'refused',
        status: 403,
        code: 'namespace-forbidden',
      },
      { ...by, operation: 'collectGarbage', targets: [], outcome: 'refused', status: 403, code: 'administrator-only' },
    ])
  })
})

it('a route that does not declare its access cannot be registered', async () => {
  const under = await openRoutes()
  onTestFinished(() => under.close())
  expect(() => under.api.get('/v1/secrets', () => 'everything')).toThrow('GET /v1/secrets does not declare its access')
})

async function operationsOf(client: AccessClient): Promise<Operation[]> {
  const { text } = await client.send('GET', '/openapi.json', client.administrator)
  const { paths } = JSON.parse(text) as {
    paths: Record<string, Record<string, { operationId: string; 'x-stagerd-access': string }>>
  }
  return Object.values(paths).flatMap((methods) =>
    Object.entries(methods).map(([method, { operationId, 'x-stagerd-access': access }]) => ({
      method: method.toUpperCase(),
      id: operationId,
      access,
    })),
  )
}
