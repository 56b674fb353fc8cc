import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { Registry } from 'prom-client'
import { BadInput } from '../../../base/errors.js'
import type { Callers } from '../../../daemon/access/callers.js'
import { buildApi } from '../../../daemon/api/api.js'
import { Backups } from '../../../daemon/backup/backup.js'
import { Restorer } from '../../../daemon/backup/restore.js'
import { Bootstraps } from '../../../daemon/bootstrap/bootstraps.js'
import { Exporter } from '../../../daemon/exchange/export.js'
import { Importer } from '../../../daemon/exchange/import.js'
import { StagerCaches } from '../../../daemon/garbage/stager-caches.js'
import { Collector } from '../../../daemon/garbage/collector.js'
import { ImagePackages } from '../../../daemon/images/image-packages.js'
import { NodeReport } from '../../../daemon/node/node-report.js'
import { resolve } from '../../../daemon/packages/resolve.js'
import { PackageIndex } from '../../../daemon/packages/resolution/package-index.js'
import { DropletUploads } from '../../../daemon/droplets/droplet-uploads.js'
import { Droplets } from '../../../daemon/droplets/droplets.js'
import { ResultDiffs } from '../../../daemon/results/result-diff.js'
import { Resolver } from '../../../daemon/resolver/resolver.js'
import { DirectoryBlobStore } from '../../../daemon/store/directory-blob-store.js'
import { Leases } from '../../../base/leases.js'
import { PackageQuota } from '../../../daemon/store/package-quota.js'
import { type ArchiveReader, ResourceIngest, type ScanArchive } from '../../../daemon/store/resource-ingest.js'
import { SegmentTables } from '../../../daemon/store/segment-tables.js'
import { Seal } from '../../../daemon/secrets/seal.js'
import { Secrets } from '../../../daemon/secrets/secrets.js'
import { WebhookSecrets } from '../../../daemon/secrets/webhook-secrets.js'
import { Receivers } from '../../../daemon/webhooks/receivers.js'
import { OutboundClient } from '../../../daemon/outbound/outbound-client.js'
import { SqliteStore } from '../../../daemon/store/sqlite/store.js'
import { Peers } from '../../../daemon/peers/peers.js'
import { KeptLaunches } from '../../../daemon/staging/kept-launches.js'
import { LiveContainers } from '../../../daemon/staging/live-containers.js'
import { LogStore } from '../../../daemon/log/log-store.js'
import { detectCompression } from '../../../isolation/archive/compression.js'
import { DEFAULT_ARCHIVE_LIMITS } from '../../../isolation/archive/limits.js'
import { movedArchive } from '../../../isolation/archive/moved-archive.js'
import { scanArchive } from '../../../isolation/archive/scan.js'
import { readEntries } from '../../../isolation/archive/read-entries.js'
import { segmentedScans } from '../../../isolation/archive/segmented-scan.js'
import { FakeIsolation } from '../../support/fake-isolation.js'
import { SHIPPED_PIPELINES } from '../../support/shipped-recipes.js'
import { temporaryDirectory } from '../store/temporary-directory.js'
import { ALL_TRUSTED, ApiClient, documentOf, logTo } from './api-client.js'
import { FakeLogs } from './fake-logs.js'
import { FakeRuns } from './fake-runs.js'
import { FakeStagings } from './fake-stagings.js'
import type { FleetNode } from '../../../daemon/model/node.js'
import { InProcessWakeups } from '../../../daemon/store/wakeups.js'

/** UUID of the node that answers. */
export const SELF = '00000000-0000-4000-8000-000000000000'

export const DEFAULT_LIMITS = { memoryBytes: 2 ** 28, cpus: 1, pids: 512, diskBytes: 2 ** 30, timeoutMs: 600_000 }

/** Refuses what begins with `EVIL`, at once, and what ends with it, at the very end. */
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
  return { compression: 'gzip', entries: 1, bytes, canonical: true }
}
const evil = () => new BadInput('path-escapes', 'The entry "../../etc/passwd" climbs out of the archive.')

export interface Overrides {
  readonly uploadStallMs?: number
  readonly heartbeatMs?: number
  /** Default: everybody is an administrator. */
  readonly callers?: (store: SqliteStore) => Callers
  /** Default: a quick one that refuses `EVIL`. */
  readonly archives?: ArchiveReader
}

const QUICK: ArchiveReader = { scan, detectCompression, canonicalise: (body) => Promise.resolve(body) }

/** The whole control API on a real store in a directory of its own, with small fakes for what stages and runs. */
export class ApiUnderTest extends ApiClient {
  private constructor(
    directory: Awaited<ReturnType<typeof temporaryDirectory>>,
    readonly store: SqliteStore,
    readonly blobs: DirectoryBlobStore,
    readonly logged: string[],
    { uploadStallMs = 60_000, heartbeatMs = 60_000, callers = () => ALL_TRUSTED, archives = QUICK }: Overrides,
    readonly stagings = new FakeStagings(store),
    readonly logs = new FakeLogs(),
    readonly caches = new FakeIsolation(),
    readonly stagingLogs = new LogStore(join(directory.path, 'logs'), () => Promise.resolve(true)),
    readonly stagerCaches = new StagerCaches({ isolation: caches, packages: store.packages, stagers: store.stagers }),
    readonly wakeups = new InProcessWakeups(),
  ) {
    const { packages, stagers, pipelines, policies, ledger, exchange, references, results } = store
    const entriesOf = (body: Readable, signal: AbortSignal) => readEntries(body, DEFAULT_ARCHIVE_LIMITS, signal)
    const logger = logTo(logged)
    const quota = new PackageQuota((namespace) => (namespace === '/small' ? 1000 : 50_000_000))
    const ingest = new ResourceIngest(blobs, archives, 50_000_000)
    const isolation = caches
    const live = new Leases()
    const exporter = new Exporter({
      packages,
      stagers,
      pipelines,
      blobs,
      live,
      closure: async (found, dependencies) => {
        const index = new PackageIndex(await packages.listUsable())
        return resolve({ subject: found.name, dependencies, index, exclude: found.uuid }).packages
      },
    })
    const importer = new Importer({
      exchange,
      ingest,
      live,
      quota,
      directory: join(directory.path, 'imports'),
    })
    const garbage = new Collector({
      references,
      blobs,
      live,
      isolation,
      prepared: { clear: () => Promise.resolve() },
      logs: stagingLogs,
      graceMs: 60_000,
    })
    const images = new ImagePackages({
      isolation,
      ingest,
      packages,
      quota,
      live: new LiveContainers(),
      liveBlobs: live,
      logger,
    })
    const facts = {
      version: '1',
      nodeId: 'node',
      stateDir: directory.path,
      concurrency: 1,
      draining: false,
      atWork: 0,
      prepared: 0,
    }
    const socket = { subject: 'control socket', verdict: 'good', message: 'It answers.' } as const
    const kept = new KeptLaunches({ limit: 1, logger })
    const node = new NodeReport(facts, isolation, ledger, packages, kept, () => Promise.resolve([socket]))
    const bootstrapLogs = new LogStore(
      join(directory.path, 'bootstraps'),
      async (uuid) => (await store.bootstraps.get(uuid)).state !== 'running',
    )
    // Everything is there already, so that a bootstrap ends at once.
    const bootstraps = new Bootstraps({
      bootstraps: store.bootstraps,
      maker: { standing: () => Promise.resolve('current'), make: () => Promise.resolve() },
      readShipped: () => Promise.resolve(SHIPPED_PIPELINES),
      logs: bootstrapLogs,
      logger,
    })
    const backupLogs = { logs: stagingLogs, bootstraps: bootstrapLogs }
    const parts = { database: store.backups, blobs, live, logs: backupLogs, directory: join(directory.path, 'imports') }
    const backups = new Backups({ ...parts, facts, graceMs: 60_000 })
    const seal = new Seal(Buffer.alloc(32))
    const webhookSecrets = new WebhookSecrets(seal)
    const restorer = new Restorer({
      ...{ ...parts, stagings, bootstraps },
      webhooks: { seal: () => store.webhooks.sealAll((...webhook) => webhookSecrets.close(...webhook)) },
    })
    const receivers = new Receivers({
      outbound: new OutboundClient({ networks: [], setting: 'webhook-networks' }),
      secrets: webhookSecrets,
    })
    const api = buildApi({
      logger,
      access: { callers: callers(store), owners: store.resourceOwners },
      peers: new Peers(() => undefined),
      tokens: { tokens: store.tokens },
      webhooks: {
        webhooks: store.webhooks,
        ledger,
        receivers,
        deliveries: {
          ping: async (uuid) => {
            await store.webhooks.target(uuid)
            return { kind: 'delivered', status: 200, message: 'It answered 200.' }
          },
        },
      },
      packages: { packages, ingest, quota },
      packageData: { packages, blobs, live },
      packageDroplet: {
        droplets: new Droplets({ packages, blobs, live, readEntries: entriesOf, move: movedArchive }),
      },
      packageSource: {
        packages,
        ledger,
        ingest,
        quota,
        scanSegments: segmentedScans(DEFAULT_ARCHIVE_LIMITS),
        segments: new SegmentTables(blobs),
        live,
        uploadStallMs,
      },
      results: { results, diffs: new ResultDiffs({ results, blobs, live, readEntries: entriesOf }) },
      images: { images },
      resources: { ingest, quota, uploadStallMs },
      exchange: { exporter, importer },
      stagers: { packages, stagers, limits: DEFAULT_LIMITS },
      stagerCaches: { caches: stagerCaches },
      stagerSecrets: { stagers, secrets: new Secrets({ repository: store.secrets, seal }) },
      pipelines: { pipelines, stagers },
      policies: { policies, wakeups },
      resolution: { packages, resolver: new Resolver(packages, policies) },
      stagings: {
        ...{ stagings, ledger, nodes: store.nodes, kept, packages, stagers, pipelines, ingest, quota, receivers },
        self: { uuid: 'self', concurrency: 1 },
      },
      stagingLog: { ledger, logs, heartbeatMs },
      keptLaunches: { kept },
      runs: { runs: new FakeRuns() },
      dropletRuns: {
        runs: new FakeRuns(),
        quota,
        uploads: new DropletUploads({
          ...{ blobs, detectCompression, move: movedArchive },
          scan: (body, signal, observer) => scanArchive(body, DEFAULT_ARCHIVE_LIMITS, signal, observer),
        }),
      },
      node: {
        node,
        readiness: { assertReady: () => Promise.resolve() },
        stagings: { drain: () => undefined, undrain: () => undefined },
        nodes: { setState: () => Promise.resolve({} as FleetNode) },
        self: SELF,
      },
      nodes: {
        nodes: store.nodes,
        wakeups,
        stagings: { drain: () => undefined, undrain: () => undefined },
        self: SELF,
      },
      metrics: { registry: new Registry() },
      garbage: { garbage },
      backups: { backups, restorer },
      bootstraps: { bootstraps, logs: bootstrapLogs, heartbeatMs },
    })
    super(api, directory)
  }

  static async open(overrides: Overrides = {}): Promise<ApiUnderTest> {
    const directory = await temporaryDirectory()
    const store = SqliteStore.open(join(directory.path, 'stagerd.db'))
    const blobs = await DirectoryBlobStore.open(join(directory.path, 'blobs'))
    return new ApiUnderTest(directory, store, blobs, [], overrides)
  }

  override async close(): Promise<void> {
    await this.api.close()
    this.store.close()
    await this.directory.remove()
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
