import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import type { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { hashOf, makeSecret } from '../../../daemon/access/secret.js'
import type { Token } from '../../../daemon/model/token.js'
import { vi } from 'vitest'
import { tarOf } from '../../support/tar-builder.js'
import type { ApiUnderTest } from './api-under-test.js'
import { nodeIdentity, nodeLedgerOf } from '../../support/fleet/node-ledger.js'

export interface Sent {
  readonly url: string
  readonly body?: unknown
}

export interface Received {
  readonly status: number
  readonly code: string | undefined
  readonly text: string
  readonly headers: Readonly<Record<string, unknown>>
}

/** What tokens are for in these tests, and what they are not. */
export const OWN = '/acme'
export const FOREIGN = '/other'

/** Nothing is sent there: the API under test answers for it. */
const RECEIVER = 'https://hooks.example.org/told?token=abc'
const WEBHOOK_SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

/** Makes tokens and things for requests to be about, and sends requests with a token. */
export class AccessClient {
  #count = 0

  private constructor(
    readonly under: ApiUnderTest,
    readonly administrator: string,
    /** The digest of data that was uploaded for `OWN`. */
    readonly data: string,
  ) {}

  static async open(under: ApiUnderTest): Promise<AccessClient> {
    const administrator = await makeToken(under, { access: 'administrator', namespaces: [] })
    const client = new AccessClient(under, administrator, '')
    const uploaded = await client.send('POST', '/v1/resources?namespace=/acme', administrator, TARBALL)
    const { sha256 } = JSON.parse(uploaded.text) as { sha256: string }
    return new AccessClient(under, administrator, sha256)
  }

  name(): string {
    this.#count += 1
    return `n${this.#count}`
  }

  async package(): Promise<string> {
    const name = this.name()
    await this.#make('/v1/packages', { namespace: OWN, name, resource: this.data, state: 'ready' })
    return `package::${OWN}::${name}`
  }

  async stagerWithSecret(): Promise<string> {
    const fqn = await this.stager()
    await this.send('PUT', `${named('/v1/stagers', fqn)}/secrets/TOKEN`, this.administrator, { value: 'czNjcmV0' })
    return fqn
  }

  async stager(): Promise<string> {
    const name = this.name()
    await this.#make('/v1/stagers', { namespace: OWN, name, package: await this.package(), start_command: './stage' })
    return `job::${OWN}::${name}`
  }

  async pipeline(): Promise<string> {
    const name = this.name()
    await this.#make('/v1/stagingpipelines', { namespace: OWN, name, stagers: [await this.stager()] })
    return `stagpipe::${OWN}::${name}`
  }

  async policy(): Promise<string> {
    const name = this.name()
    await this.#make('/v1/policies', { namespace: OWN, name, text: '' })
    return `policydoc::${OWN}::${name}`
  }

  async staging(): Promise<string> {
    return this.#make('/v1/stagings', { package: await this.package(), pipeline: await this.pipeline() })
  }

  /** One that has ended, and can be retried. */
  async endedStaging(): Promise<string> {
    const ledger = await nodeLedgerOf(this.under.store)
    const uuid = await this.staging()
    for (let admitted = ''; admitted !== uuid;) admitted = (await ledger.admitNext())?.uuid ?? uuid
    await ledger.fail(uuid, undefined, { cause: 'infrastructure', stager: undefined, message: 'lost', hint: 'again' })
    return uuid
  }

  bootstrap(): Promise<string> {
    return this.#make('/v1/bootstraps', { pipelines: [] })
  }

  /** It has nothing to make, and ends at once. */
  async endedBootstrap(): Promise<string> {
    const uuid = await this.bootstrap()
    await vi.waitUntil(async () => (await this.under.store.bootstraps.get(uuid)).state !== 'running', 15_000)
    return uuid
  }

  /** It runs until the API closes. */
  async run(): Promise<string> {
    const headers = { 'content-type': 'application/json' }
    const { request, answer } = await this.#connect('POST', '/v1/runs', this.administrator, headers)
    request.end(JSON.stringify({ package: await this.package() }))
    const [first] = (await once(await answer, 'data')) as [Buffer]
    return (JSON.parse(first.toString()) as { run: string }).run
  }

  /** One that is not alive. */
  async node(): Promise<string> {
    const { nodes } = this.under.store
    const term = await nodes.openTerm(nodeIdentity(), 60_000)
    await nodes.closeTerm(term)
    return term.node
  }

  async token(): Promise<string> {
    const name = this.name()
    await this.#make('/v1/tokens', { name, access: 'read', namespaces: [OWN] })
    return name
  }

  /** In a namespace of its own, because the number in one is limited. */
  webhook(): Promise<string> {
    return this.#make('/v1/webhooks', { namespace: `${OWN}/${this.name()}`, url: RECEIVER })
  }

  async exported(): Promise<Buffer> {
    const url = `/v1/exchange?package=${encodeURIComponent(await this.package())}`
    const { answer } = await this.#connect('GET', url, this.administrator)
    return buffer((await answer) as Readable)
  }

  /** @param firstOnly reads only the beginning of the answer, and ends the connection */
  async send(
    method: string,
    url: string,
    token: string | undefined,
    body?: unknown,
    firstOnly = false,
  ): Promise<Received> {
    const type = Buffer.isBuffer(body) ? 'application/octet-stream' : 'application/json'
    const { request, answer } = await this.#connect(
      method,
      url,
      token,
      body === undefined ? {} : { 'content-type': type },
    )
    request.end(body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body))
    const answered = await answer
    const chunks: Buffer[] = []
    for await (const chunk of answered as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      if (firstOnly) break
    }
    const text = Buffer.concat(chunks).toString()
    const { statusCode = 0, headers } = answered
    return { status: statusCode, code: statusCode < 400 ? undefined : codeOf(text), text, headers }
  }

  async #connect(method: string, url: string, token: string | undefined, headers: Record<string, string> = {}) {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const connected = await this.under.connect(method, url, { ...headers, ...authorization })
    if (method === 'GET') connected.request.end()
    return connected
  }

  async #make(url: string, document: object): Promise<string> {
    const { status, text } = await this.send('POST', url, this.administrator, document)
    if (status >= 300) throw new Error(`${url}: ${status} ${text}`)
    return (JSON.parse(text) as { uuid: string }).uuid
  }
}

export const TARBALL = gzipSync(Buffer.alloc(1024))

const DROPLET = gzipSync(
  tarOf(
    { name: 'app/', type: '5' },
    ...['startup', 'stop'].map((name) => ({ name, data: '#!/bin/bash\n', mode: 0o500 })),
  ),
)

/** In the store; returns the secret. */
export async function makeToken(
  { store }: Pick<ApiUnderTest, 'store'>,
  { name = randomUUID(), ...token }: Pick<Token, 'access' | 'namespaces'> & { name?: string; expiresAt?: string },
): Promise<string> {
  const secret = makeSecret()
  const createdAt = '2020-01-01T00:00:00.000Z'
  await store.tokens.create({ name, createdAt, expiresAt: '2999-01-01T00:00:00.000Z', ...token }, hashOf(secret) ?? '')
  return secret
}

function codeOf(text: string): string {
  return (JSON.parse(text) as { code: string }).code
}

const named = (path: string, ref: string) => `${path}/${encodeURIComponent(ref)}`

/**
 * By operation: a request about things of `OWN`, which its token may use. Each call makes things of its own, because many
 * operations change what they are about.
 */
export const REQUESTS: Readonly<Record<string, (make: AccessClient) => Promise<Sent> | Sent>> = {
  // Packages
  listPackages: async (make) => (await make.package(), { url: '/v1/packages' }),
  createPackage: (make) => ({
    url: '/v1/packages',
    body: { namespace: OWN, name: make.name(), resource: make.data, state: 'ready' },
  }),
  showPackage: async (make) => ({ url: named('/v1/packages', await make.package()) }),
  updatePackage: async (make) => ({
    url: named('/v1/packages', await make.package()),
    body: { environment_set: { A: 'b' } },
  }),
  attachResource: async (make) => ({
    url: `${named('/v1/packages', await make.package())}/resource`,
    body: { resource: make.data },
  }),
  replacePackageContent: async (make) => ({
    url: `${named('/v1/packages', await make.package())}/content`,
    body: { from: await make.package() },
  }),
  deletePackage: async (make) => ({ url: named('/v1/packages', await make.package()) }),
  downloadPackage: async (make) => ({ url: `${named('/v1/packages', await make.package())}/data` }),
  downloadDroplet: async (make) => ({ url: `${named('/v1/packages', await make.package())}/droplet` }),
  findLackingSegments: async (make) => ({
    url: `${named('/v1/packages', await make.package())}/source/lacking`,
    body: { segments: [] },
  }),
  assembleSource: async (make) => ({
    url: `${named('/v1/packages', await make.package())}/source`,
    body: Buffer.from('not a composition\n'),
  }),
  listResults: async (make) => ({ url: `${named('/v1/packages', await make.package())}/results` }),
  rollBackPackage: async (make) => ({
    url: `${named('/v1/packages', await make.package())}/rollback`,
    body: { result: 1 },
  }),
  compareResults: async (make) => ({ url: `${named('/v1/packages', await make.package())}/diff?from=1` }),
  createPackageFromImage: (make) => ({
    url: '/v1/images/packages',
    body: { image: 'busybox:1', namespace: OWN, name: make.name() },
  }),
  resolvePackages: async (make) => ({ url: '/v1/packages/resolution', body: { package: await make.package() } }),
  parseBuildScript: () => ({ url: '/v1/build-scripts', body: { script: 'name: "x"' } }),
  parseManifest: () => ({ url: '/v1/manifests', body: { manifest: 'name: x' } }),
  // Data
  showResource: (make) => ({ url: `/v1/resources/${make.data}` }),
  uploadResource: () => ({ url: '/v1/resources?namespace=/acme', body: TARBALL }),
  exportSet: async (make) => ({ url: `/v1/exchange?package=${encodeURIComponent(await make.package())}` }),
  importSet: async (make) => ({ url: '/v1/exchange?namespace=/acme&existing=skip', body: await make.exported() }),
  // Stagers
  listStagers: async (make) => (await make.stager(), { url: '/v1/stagers' }),
  createStager: async (make) => ({
    url: '/v1/stagers',
    body: { namespace: OWN, name: make.name(), package: await make.package(), start_command: './stage' },
  }),
  showStager: async (make) => ({ url: named('/v1/stagers', await make.stager()) }),
  updateStager: async (make) => ({
    url: named('/v1/stagers', await make.stager()),
    body: { package: await make.package() },
  }),
  deleteStager: async (make) => ({ url: named('/v1/stagers', await make.stager()) }),
  listStagerSecrets: async (make) => ({ url: `${named('/v1/stagers', await make.stager())}/secrets` }),
  setStagerSecret: async (make) => ({
    url: `${named('/v1/stagers', await make.stager())}/secrets/TOKEN`,
    body: { value: 'czNjcmV0' },
  }),
  removeStagerSecret: async (make) => ({ url: `${named('/v1/stagers', await make.stagerWithSecret())}/secrets/TOKEN` }),
  listStagerCaches: () => ({ url: '/v1/stager-caches' }),
  clearStagerCaches: () => ({ url: '/v1/stager-caches?namespace=/acme' }),
  // Pipelines
  listPipelines: async (make) => (await make.pipeline(), { url: '/v1/stagingpipelines' }),
  createPipeline: async (make) => ({
    url: '/v1/stagingpipelines',
    body: { namespace: OWN, name: make.name(), stagers: [await make.stager()] },
  }),
  showPipeline: async (make) => ({ url: named('/v1/stagingpipelines', await make.pipeline()) }),
  updatePipeline: async (make) => ({
    url: named('/v1/stagingpipelines', await make.pipeline()),
    body: { append: [await make.stager()] },
  }),
  deletePipeline: async (make) => ({ url: named('/v1/stagingpipelines', await make.pipeline()) }),
  detectPipeline: async (make) => (
    await make.pipeline(),
    { url: '/v1/detections', body: { namespace: OWN, names: ['x'] } }
  ),
  // Stagings and runs
  listStagings: async (make) => (await make.staging(), { url: '/v1/stagings' }),
  createStaging: async (make) => ({
    url: '/v1/stagings',
    body: {
      package: await make.package(),
      pipeline: await make.pipeline(),
      source: { resource: make.data },
      notify: [{ url: RECEIVER, secret: WEBHOOK_SECRET }],
    },
  }),
  showStaging: async (make) => ({ url: `/v1/stagings/${await make.staging()}` }),
  cancelStaging: async (make) => ({ url: `/v1/stagings/${await make.staging()}/cancel` }),
  retryStaging: async (make) => ({ url: `/v1/stagings/${await make.endedStaging()}/retry` }),
  followStagingLog: async (make) => ({ url: `/v1/stagings/${await make.staging()}/log?follow=false` }),
  // Nothing is kept of these.
  openShell: async (make) => ({ url: `/v1/stagings/${await make.endedStaging()}/shells`, body: {} }),
  sendShellInput: async (make) => ({
    url: `/v1/stagings/${await make.endedStaging()}/shells/none/input`,
    body: Buffer.from('hello'),
  }),
  resizeShell: async (make) => ({
    url: `/v1/stagings/${await make.endedStaging()}/shells/none/size`,
    body: { columns: 80, rows: 24 },
  }),
  releaseStaging: async (make) => ({ url: `/v1/stagings/${await make.endedStaging()}/release` }),
  startRun: async (make) => ({ url: '/v1/runs', body: { package: await make.package() } }),
  uploadDroplet: () => ({ url: '/v1/droplets?namespace=/acme', body: DROPLET }),
  startDropletRun: (make) => ({
    url: '/v1/droplet-runs',
    body: { droplet: make.data, name: make.name(), namespace: OWN, dependencies: [] },
  }),
  stopRun: async (make) => ({ url: `/v1/runs/${await make.run()}/stop` }),
  sendRunInput: async (make) => ({ url: `/v1/runs/${await make.run()}/input`, body: Buffer.from('hello') }),
  // The node
  showNode: () => ({ url: '/v1/node' }),
  examineNode: () => ({ url: '/v1/node/doctor' }),
  drainNode: () => ({ url: '/v1/node/drain' }),
  undrainNode: () => ({ url: '/v1/node/undrain' }),
  listNodes: () => ({ url: '/v1/nodes' }),
  showFleetNode: async (make) => ({ url: `/v1/nodes/${await make.node()}` }),
  drainFleetNode: async (make) => ({ url: `/v1/nodes/${await make.node()}/drain` }),
  undrainFleetNode: async (make) => ({ url: `/v1/nodes/${await make.node()}/undrain` }),
  removeNode: async (make) => ({ url: `/v1/nodes/${await make.node()}` }),
  backUpNode: () => ({ url: '/v1/node/backup' }),
  // It is refused, because the node has something.
  restoreNode: async (make) => (await make.package(), { url: '/v1/node/restore', body: Buffer.from('no backup') }),
  collectGarbage: () => ({ url: '/v1/node/gc', body: { dry_run: true } }),
  checkHealth: () => ({ url: '/healthz' }),
  checkReadiness: () => ({ url: '/readyz' }),
  readMetrics: () => ({ url: '/metrics' }),
  startBootstrap: () => ({ url: '/v1/bootstraps', body: { pipelines: [] } }),
  listBootstraps: () => ({ url: '/v1/bootstraps' }),
  showBootstrap: async (make) => ({ url: `/v1/bootstraps/${await make.bootstrap()}` }),
  cancelBootstrap: async (make) => ({ url: `/v1/bootstraps/${await make.endedBootstrap()}/cancel` }),
  followBootstrapLog: async (make) => ({ url: `/v1/bootstraps/${await make.bootstrap()}/log?follow=false` }),
  listPolicies: async (make) => (await make.policy(), { url: '/v1/policies' }),
  createPolicy: (make) => ({ url: '/v1/policies', body: { namespace: OWN, name: make.name(), text: '' } }),
  showPolicy: async (make) => ({ url: named('/v1/policies', await make.policy()) }),
  listPolicyVersions: async (make) => ({ url: `${named('/v1/policies', await make.policy())}/versions` }),
  updatePolicy: async (make) => ({ url: named('/v1/policies', await make.policy()), body: { text: '' } }),
  deletePolicy: async (make) => ({ url: named('/v1/policies', await make.policy()) }),
  listTokens: () => ({ url: '/v1/tokens' }),
  createToken: (make) => ({ url: '/v1/tokens', body: { name: make.name(), access: 'read', namespaces: [OWN] } }),
  listWebhooks: async (make) => (await make.webhook(), { url: '/v1/webhooks' }),
  createWebhook: () => ({ url: '/v1/webhooks', body: { namespace: OWN, url: RECEIVER } }),
  checkReceivers: () => ({ url: '/v1/webhooks/check', body: { notify: [{ url: RECEIVER, secret: WEBHOOK_SECRET }] } }),
  deleteWebhook: async (make) => ({ url: `/v1/webhooks/${await make.webhook()}` }),
  testWebhook: async (make) => ({ url: `/v1/webhooks/${await make.webhook()}/test` }),
  revokeToken: async (make) => ({ url: `/v1/tokens/${await make.token()}` }),
}
