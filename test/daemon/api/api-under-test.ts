import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { Writable, type Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import type { InjectOptions } from 'fastify'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { BadInput } from '../../../base/errors.js'
import { buildApi } from '../../../daemon/api/api.js'
import type { Api } from '../../../daemon/api/fastify.js'
import type { ApiParts } from '../../../daemon/api/parts.js'
import { Exporter } from '../../../daemon/exchange/export.js'
import { Importer } from '../../../daemon/exchange/import.js'
import { Collector } from '../../../daemon/garbage/collector.js'
import { ImagePackages } from '../../../daemon/images/image-packages.js'
import { resolve } from '../../../daemon/packages/resolve.js'
import { PackageIndex } from '../../../daemon/packages/resolution/package-index.js'
import { Resolver } from '../../../daemon/resolver/resolver.js'
import { DirectoryBlobStore } from '../../../daemon/store/directory-blob-store.js'
import { Leases } from '../../../base/leases.js'
import { PackageQuota } from '../../../daemon/store/package-quota.js'
import { ResourceIngest, type ScanArchive } from '../../../daemon/store/resource-ingest.js'
import { SqliteStore } from '../../../daemon/store/sqlite/store.js'
import { LiveContainers } from '../../../daemon/staging/live-containers.js'
import { LogStore } from '../../../daemon/log/log-store.js'
import { detectCompression } from '../../../isolation/archive/compression.js'
import { FakeIsolation } from '../../support/fake-isolation.js'
import { temporaryDirectory } from '../store/temporary-directory.js'
import { FakeLogs } from './fake-logs.js'
import { FakeRuns } from './fake-runs.js'
import { FakeStagings } from './fake-stagings.js'

export const DEFAULT_LIMITS = { memoryBytes: 2 ** 28, cpus: 1, pids: 512, diskBytes: 2 ** 30, timeoutMs: 600_000 }

/** Takes anything but what begins with `EVIL` or ends with it: the one is refused at once, the other at the very end. */
const scan: ScanArchive = async (body, signal) => {
  let bytes = 0
  let last: Buffer = Buffer.alloc(0)
  for await (const chunk of body as AsyncIterable<Buffer>) {
    signal.throwIfAborted()
    if (bytes === 0 && chunk.subarray(0, 4).equals(Buffer.from('EVIL'))) throw evil()
    bytes += chunk.length
    last = chunk.subarray(-4)
  }
  if (last.equals(Buffer.from('EVIL'))) throw evil()
  return { compression: 'gzip', entries: 1, bytes }
}
const evil = () => new BadInput('path-escapes', 'The entry "../../etc/passwd" climbs out of the archive.')

export interface Answer<Document> {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly document: Document
}

/** The control API on a real store in a directory of its own, with small fakes for the rooms that decide and run. */
export class ApiUnderTest {
  readonly logged: string[] = []
  readonly stagings: FakeStagings
  readonly logs = new FakeLogs()
  readonly caches = new FakeIsolation()
  readonly runs = new FakeRuns()
  readonly node = { answers: true, ready: true }
  readonly api: Api

  private constructor(
    readonly directory: Awaited<ReturnType<typeof temporaryDirectory>>,
    readonly store: SqliteStore,
    readonly blobs: DirectoryBlobStore,
    overrides: Partial<ApiParts['defaults']>,
  ) {
    this.stagings = new FakeStagings(store)
    const { packages, stagers, pipelines, policies, ledger } = store
    const quota = new PackageQuota((namespace) => (namespace === '/small' ? 1000 : 50_000_000))
    const ingest = new ResourceIngest(blobs, { scan, detectCompression }, 50_000_000)
    const sink = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.logged.push(String(chunk))
        done()
      },
    })
    this.api = buildApi({
      packages,
      stagers,
      pipelines,
      policies,
      resolver: new Resolver(packages, policies),
      ledger,
      blobs,
      ingest,
      quota,
      images: new ImagePackages({
        isolation: this.caches,
        ingest,
        packages,
        quota,
        live: new LiveContainers(),
        logger: pino({ level: 'info' }, sink),
      }),
      exporter: new Exporter({
        packages,
        stagers,
        pipelines,
        blobs,
        closure: async (found, dependencies) => {
          const index = new PackageIndex(await packages.listReady())
          return resolve({ subject: found.name, dependencies, index, exclude: found.uuid }).packages
        },
      }),
      importer: new Importer({
        exchange: store.exchange,
        ingest,
        live: new Leases(),
        quota,
        directory: join(directory.path, 'imports'),
      }),
      garbage: new Collector({
        references: store.references,
        blobs,
        live: new Leases(),
        isolation: this.caches,
        logs: new LogStore(join(directory.path, 'logs'), () => Promise.resolve(true)),
        graceMs: 60_000,
      }),
      stagings: this.stagings,
      logs: this.logs,
      runs: this.runs,
      node: {
        status: () =>
          Promise.resolve({
            version: '1.2.3',
            node: '00000000-0000-4000-8000-000000000000',
            state_dir: '/state',
            engine: { answers: this.node.answers, message: this.node.answers ? 'It answers.' : 'It is away.' },
            packages: 0,
            stagings: { queued: 0, running: 0, limit: 2 },
            uptime_seconds: 1,
          }),
        doctor: () => Promise.resolve([{ subject: 'overlay', verdict: 'good', message: 'It mounts.' }]),
      },
      isReady: () => this.node.ready,
      metrics: new Registry(),
      logger: pino({ level: 'info' }, sink),
      defaults: {
        limits: DEFAULT_LIMITS,
        user: 'runner',
        uploadStallMs: 60_000,
        heartbeatMs: 60_000,
        ...overrides,
      },
    })
  }

  static async open(overrides: Partial<ApiParts['defaults']> = {}): Promise<ApiUnderTest> {
    const directory = await temporaryDirectory()
    const store = SqliteStore.open(join(directory.path, 'stagerd.db'))
    return new ApiUnderTest(directory, store, await DirectoryBlobStore.open(join(directory.path, 'blobs')), overrides)
  }

  async close(): Promise<void> {
    await this.api.close()
    this.store.close()
    await this.directory.remove()
  }

  async ask<Document = Record<string, unknown>>(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<Document>> {
    const options: InjectOptions = { method, url, headers }
    if (body !== undefined) options.payload = body as object
    const { statusCode, headers: answered, body: payload } = await this.api.inject(options)
    return {
      status: statusCode,
      headers: answered,
      document: (payload === '' ? undefined : parse(payload)) as Document,
    }
  }

  /** A real connection, for what streams. */
  async connect(
    method: string,
    path: string,
    headers: Record<string, string | number> = {},
  ): Promise<{ readonly request: ClientRequest; readonly answer: Promise<IncomingMessage> }> {
    const socketPath = join(this.directory.path, 'api.sock')
    if (!this.api.server.listening) await this.api.listen({ path: socketPath })
    const request = httpRequest({ socketPath, method, path, headers })
    const answer = new Promise<IncomingMessage>((resolve, reject) =>
      request.on('response', resolve).on('error', reject),
    )
    // A test that ends the connection itself does not wait for the answer.
    answer.catch(() => undefined)
    return { request, answer }
  }

  /** Over a real connection: an injected request cannot be cut short, and so cannot be whole either. */
  async send(content: Buffer | string, query = ''): Promise<Record<string, unknown>> {
    const headers = { 'content-type': 'application/octet-stream' }
    const { request, answer } = await this.connect('POST', `/v1/resources${query}`, headers)
    request.end(content)
    return documentOf(await answer)
  }

  async upload(content: Buffer | string): Promise<string> {
    const { sha256, detail } = await this.send(content)
    if (typeof sha256 !== 'string') throw new Error(`upload failed: ${String(detail)}`)
    return sha256
  }

  async storedBlobs(): Promise<string[]> {
    const found: string[] = []
    for await (const { sha256 } of this.blobs.list()) found.push(sha256)
    return found
  }
}

function parse(payload: string): unknown {
  try {
    return JSON.parse(payload)
  } catch {
    return payload
  }
}

export async function documentOf(answer: IncomingMessage): Promise<Record<string, unknown>> {
  return JSON.parse(await text(answer as Readable)) as Record<string, unknown>
}

export const bytesOf = (answer: IncomingMessage) => buffer(answer as Readable)

/** Polls; there is nothing to sleep for. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 5_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
