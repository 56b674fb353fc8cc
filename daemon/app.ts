import type { Readable } from 'node:stream'
import type { Logger } from 'pino'
import { Registry } from 'prom-client'
import type { CleanupStack } from '../base/cleanup-stack.js'
import { installDirectory } from '../base/installation.js'
import { Leases } from '../base/leases.js'
import { uplinkMtu } from '../isolation/network/uplink-mtu.js'
import { packHostTools } from '../isolation/host/host-tools.js'
import { chooseCompressor } from '../isolation/archive/compressor.js'
import { detectCompression } from '../isolation/archive/compression.js'
import { canonicalArchive } from '../isolation/archive/canonical-archive.js'
import { DEFAULT_ARCHIVE_LIMITS } from '../isolation/archive/limits.js'
import { movedArchive } from '../isolation/archive/moved-archive.js'
import { readBeginnings } from '../isolation/archive/read-beginnings.js'
import { readEntries } from '../isolation/archive/read-entries.js'
import { scanArchive } from '../isolation/archive/scan.js'
import { segmentedScans } from '../isolation/archive/segmented-scan.js'
import { gzipStream } from '../isolation/archive/transcode.js'
import { TokenCallers } from './access/callers.js'
import { buildApi } from './api/api.js'
import type { Api } from './api/fastify.js'
import { Backups } from './backup/backup.js'
import { Restorer } from './backup/restore.js'
import type { Bootstraps } from './bootstrap/bootstraps.js'
import { shippedPipelines } from './bootstrap/shipped-pipelines.js'
import { buildBlobStore } from './build-blob-store.js'
import { buildStore } from './build-store.js'
import { buildBootstraps } from './build-bootstraps.js'
import { buildFleet } from './build-fleet.js'
import type { BuildIsolation } from './build-isolation.js'
import { buildCloudFoundry, type CloudFoundry } from './build-cloud-foundry.js'
import { buildWebhooks } from './build-webhooks.js'
import { loadCaBundle } from './ca-bundle.js'
import { requestFindings, renderRequests } from './cloud-foundry/request-findings.js'
import { examineSocket } from './control-socket.js'
import { Coordinator } from './coordinator/coordinator.js'
import { DropletUploads } from './droplets/droplet-uploads.js'
import { Droplets } from './droplets/droplets.js'
import { Exporter } from './exchange/export.js'
import { Importer } from './exchange/import.js'
import { Collector } from './garbage/collector.js'
import { StagerCaches } from './garbage/stager-caches.js'
import { ImagePackages } from './images/image-packages.js'
import { LogStore } from './log/log-store.js'
import { measureNode } from './metrics/node-metrics.js'
import { measurePrepared } from './metrics/prepared-metrics.js'
import { measureProcess } from './metrics/process-metrics.js'
import { StagingMetrics } from './metrics/staging-metrics.js'
import { measureStorage } from './metrics/storage-metrics.js'
import { measureVerification } from './metrics/verification-metrics.js'
import type { Term } from './model/node.js'
import { isTerminal, type Staging } from './model/staging.js'
import { nodeFacts } from './node-facts.js'
import type { ForNodes } from './node-listener.js'
import { databaseFindings } from './node/database-findings.js'
import { examineHost } from './node/host-findings.js'
import { NodeReport } from './node/node-report.js'
import { Readiness } from './node/readiness.js'
import { proxyEnvironment } from './proxy-environment.js'
import { closureOf } from './resolver/closure.js'
import { Resolver } from './resolver/resolver.js'
import { ResultDiffs } from './results/result-diff.js'
import { Runs } from './runs/runs.js'
import { readSecretsKey } from './secrets/secrets-key.js'
import { Seal } from './secrets/seal.js'
import { Secrets } from './secrets/secrets.js'
import type { Settings } from './settings/settings.js'
import { Janitor } from './staging/janitor.js'
import { KeptLaunches } from './staging/kept-launches.js'
import { LaunchesToCome } from './staging/launches-to-come.js'
import { LaunchRunner } from './staging/launch-runner.js'
import { LiveContainers } from './staging/live-containers.js'
import { Reuse } from './staging/reuse.js'
import { PreparedLaunches } from './staging/prepared-launches.js'
import { Releases } from './staging/releases.js'
import { StagingService } from './staging/staging-service.js'
import { StateDirectory } from './state-directory.js'
import { observeEnds, observeEndsOfNode } from './store/observed-ledger.js'
import type { StagingCounts } from './store/staging-ledger.js'
import { PackageQuota } from './store/package-quota.js'
import { ResourceIngest, type ScanArchive } from './store/resource-ingest.js'
import { SegmentTables } from './store/segment-tables.js'
import { openTraces } from './traces/open-traces.js'
import { storedDataFindings } from './verification/stored-data-findings.js'
import { Verifications } from './verification/verifications.js'
import { Verifier } from './verification/verifier.js'
import type { Deliveries } from './webhooks/deliveries.js'

export interface Surroundings {
  readonly version: string
  readonly logger: Logger
  /** The environment of the process, for the standard variables that are no settings. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly buildIsolation: BuildIsolation
  /** How long after an error the queue tries again, in milliseconds. Default: as `StagingQueue` says. */
  readonly queueRetryMs?: number
}

/** The parts that have a lifecycle; see lifecycle.ts. */
export interface App {
  readonly api: Pick<Api, 'listen' | 'close' | 'routing'>
  readonly service: Pick<StagingService, 'start' | 'stop' | 'drain' | 'idle' | 'setLimit' | 'limit'>
  readonly deliveries: Pick<Deliveries, 'start' | 'stop'>
  readonly runs: Pick<Runs, 'stop'>
  readonly bootstraps: Pick<Bootstraps, 'resume' | 'startNext' | 'stop'>
  readonly readiness: Pick<Readiness, 'assertReady'>
  /** See `StagingLedger`. */
  readonly stagingCounts: () => Promise<StagingCounts>
  readonly verifier: Pick<Verifier, 'start' | 'stop'>
  /** Undefined if it is turned off. */
  readonly cloudFoundry: CloudFoundry | undefined
  /** Undefined without a node address. */
  readonly forNodes: ForNodes | undefined
}

/**
 * Every part of the daemon, each built once, and nowhere else.
 *
 * @param undo gets what releases the parts; the caller runs it, also when this rejects
 */
export async function buildApp(
  settings: Settings,
  { version, logger, environment: ofProcess, buildIsolation, queueRetryMs: retryMs }: Surroundings,
  undo: CleanupStack,
): Promise<App> {
  const { limits, concurrency } = settings
  const state = await StateDirectory.open(settings.stateDir, undo)
  const { path: stateDir, nodeId } = state
  const ca = await loadCaBundle(settings.caBundle)
  const environment = { always: ca.environment, withEgress: proxyEnvironment(settings.proxy) }

  // Storage.
  const store = await buildStore({ settings, state, authorities: ca.pem }, undo)
  const { packages, stagers, pipelines, policies, references } = store
  const traces = await openTraces(ofProcess, { version, logger }, undo)
  const ended = (staging: Staging) => {
    metrics.ended(staging)
    traces?.ended(staging)
    webhooks.deliveries.wake()
  }
  const ledger = observeEnds(store.ledger, ended)
  const ledgerOf = (term: Term) => observeEndsOfNode(store.nodeLedger(term), ended)
  const verifications = await Verifications.load({ repository: store.verifications, logger })
  const damaged = verifications.damaged('blob').map((one) => [one.id, one.damaged] as const)
  const known = { damaged, observer: verifications }
  const liveBlobs = new Leases()
  const graceMs = settings.uploadGraceMs
  const { identity, isShared, lease, credentials, peers } = await buildFleet(settings, nodeId, () => service.limit)
  const { blobs, sharedLogs } = await buildBlobStore(
    {
      ...{ settings: settings.blobs, state, authorities: ca.pem, known, graceMs, logger },
      ...{ databaseId: await store.id(), live: liveBlobs, lease },
    },
    undo,
  )
  const seal = new Seal(await readSecretsKey(settings.secretsKey, state.secretsKey))
  const secrets = new Secrets({ repository: store.secrets, seal })
  const logs = new LogStore(state.logs, async (uuid) => isTerminal((await ledger.get(uuid)).state), {
    shared: sharedLogs,
  })

  // Resolution and limits.
  const resolver = new Resolver(packages, policies)
  const quota = new PackageQuota((namespace) => packages.remainingQuota(namespace))
  const scan: ScanArchive = (body, signal) => scanArchive(body, DEFAULT_ARCHIVE_LIMITS, signal)
  const compressor = await chooseCompressor(settings.compressor)
  const ingest = new ResourceIngest(blobs, {
    scan,
    detectCompression,
    canonicalise: (body, compression, signal) =>
      canonicalArchive(body, compression, { limits: DEFAULT_ARCHIVE_LIMITS, compressor, signal }),
  })

  // Containers.
  const resources = { open: async (sha256: string) => (await blobs.open(sha256)).stream }
  const isolation = await buildIsolation({
    ...{ settings, state, resources, verifications, logger },
    extraFiles: ca.files,
  })
  const live = new LiveContainers()
  const caches = new StagerCaches({ isolation, packages, stagers })
  const janitor = new Janitor({ isolation, live, logger, forgetDeleted: () => caches.forgetDeleted() })
  const coordinator = new Coordinator({ logger })
  const prepared = new PreparedLaunches({
    ...{ isolation, coordinator, live, janitor, logger },
    ...settings.prepared,
  })
  const kept = new KeptLaunches({ limit: settings.maxKept, logger })
  const plan = { environment, node: nodeFacts({ version, files: ca.files, compressor }) }
  const reuse = new Reuse({ ledger, resolver, plan, secrets, blobs, liveBlobs, logger })
  const releases = new Releases((): number => service.limit)
  const toCome = new LaunchesToCome({ prepared, resolver, plan, ledger })
  const launches = new LaunchRunner({
    isolation,
    coordinator,
    resolver,
    workingCopy: {
      blobs,
      ingest,
      toGzip: (body, compression) => gzipStream(body, compression, compressor),
      quota,
      liveBlobs,
      launchBytes: settings.launchDataBytes,
    },
    plan,
    reuse,
    secrets,
    live,
    prepared,
    toCome,
    releases,
    janitor,
    kept,
    logger,
    stepEnded: (step) => {
      metrics.step(step)
      traces?.step(step)
    },
  })
  const uploads = { blobs, references, liveBlobs, logger }
  const { wakeups } = store
  const service = new StagingService(
    {
      ...{ packages, stagers, pipelines, ledger, janitor, kept, prepared, toCome, launches, reuse },
      ...{ logs, logger, uploads, secrets, retryMs },
      term: { nodes: store.nodes, node: identity, ledgerOf, lease },
      wakeups,
      looked: () => cloudFoundry?.look(),
    },
    concurrency,
  )
  const verifier = new Verifier({
    ...{ blobs, layers: isolation, verifications, logger },
    ...settings.verify,
    clearPrepared: () => prepared.clear(),
    isBusy: () => service.atWork > 0,
  })
  const defaults = { limits, environment }
  const runs = new Runs({ packages, ledger, ingest, resolver, isolation, live, liveBlobs, logger, defaults })
  const images = new ImagePackages({ isolation, ingest, packages, quota, live, liveBlobs, logger })

  // Exchange, garbage collection, status.
  const exporter = new Exporter({
    ...{ packages, stagers, pipelines, blobs, live: liveBlobs },
    closure: (subject, dependencies) => closureOf(resolver, subject, dependencies),
  })
  const { exchange, results } = store
  const entriesOf = (body: Readable, signal: AbortSignal) => readEntries(body, DEFAULT_ARCHIVE_LIMITS, signal)
  const droplets = new Droplets({ packages, blobs, live: liveBlobs, readEntries: entriesOf, move: movedArchive })
  const dropletUploads = new DropletUploads({
    ...{ blobs, detectCompression, move: movedArchive },
    scan: (body, signal, observer) => scanArchive(body, DEFAULT_ARCHIVE_LIMITS, signal, observer),
  })
  const importer = new Importer({ exchange, ingest, live: liveBlobs, quota, directory: state.imports })
  // A node alone does not write to its database first: it may collect garbage because its disk is full.
  const duties = isShared ? store.duties(() => service.term) : undefined
  const ofGarbage = { references, blobs, live: liveBlobs, isolation, prepared, logs, graceMs, duties }
  const garbage = new Collector(ofGarbage)
  const facts = {
    ...{ version, nodeId, stateDir },
    get concurrency() {
      return service.limit
    },
    get draining() {
      return service.draining
    },
    get atWork() {
      return service.atWork
    },
    get prepared() {
      return prepared.count
    },
    get verification() {
      return verifier.status()
    },
    get cloudFoundry() {
      return renderRequests(cloudFoundry?.status)
    },
  }
  const readiness = new Readiness({ isolation, stagings: service, database: store })
  const proxies = [settings.proxy.http, settings.proxy.https].filter((one) => one !== undefined)
  const node = new NodeReport(facts, isolation, ledger, packages, kept, async () => [
    await examineSocket(settings.socket, settings.group),
    ...(await examineHost({ stateDirectory: stateDir, proxies, networkMtu: settings.networkMtu, uplinkMtu })),
    ...(await databaseFindings(store, () => storedDataFindings({ verifications, verifier, packages }))),
    ...requestFindings(cloudFoundry?.status),
  ])

  // Metrics.
  const registry = new Registry()
  const shipped = await shippedPipelines(installDirectory())
  const metrics = new StagingMetrics({ registry, ledger, node: nodeId, shipped, queue: service })
  measurePrepared({ registry, prepared, releases })
  measureNode({ registry, isolation, readiness, stateDirectory: stateDir })
  measureStorage({ registry, blobs, references, isolation })
  measureVerification({ registry, verifications, verifier })
  measureProcess(registry, version)
  const ofWebhooks = { webhooks: store.webhooks, ledger, registry, seal, authorities: ca.pem }
  const webhooks = buildWebhooks({ ...ofWebhooks, settings, version, logger })
  await webhooks.seal()
  const cloudFoundry = await buildCloudFoundry({
    ...{ packages, ingest, quota, ledger, logs, droplets, seal, registry, nodeId, logger },
    ...{ settings: settings.cloudFoundry, tasks: store.tasks, stagings: service, authorities: ca.pem },
    ...{ term: () => service.term, isShared, wakeups },
    directory: state.imports,
    maxBytes: (namespace) => packages.remainingQuota(namespace),
    ...{ pipelines, resolver, blobs },
    readBeginnings: (body, options) => readBeginnings(body, { ...options, limits: DEFAULT_ARCHIVE_LIMITS }),
  })

  // Bootstrap.
  const { bootstraps, logs: bootstrapLogs } = buildBootstraps({
    ...{ bootstraps: store.bootstraps, duties },
    ...{ packages, stagers, pipelines, ingest, quota, limits, stagings: service, ledger, logs, logger, packHostTools },
    ...{ logDirectory: state.bootstrapLogs, debianMirror: settings.debianMirror },
  })

  const backupLogs = { logs, bootstraps: bootstrapLogs }
  const backups = new Backups({
    database: store.backups,
    ...{ blobs, live: liveBlobs, logs: backupLogs, facts, graceMs, directory: state.imports },
  })
  const restorer = new Restorer({
    database: store.backups,
    ...{ blobs, live: liveBlobs, logs: backupLogs, stagings: service, bootstraps, webhooks, directory: state.imports },
  })

  const callers = new TokenCallers(store.tokens)
  const api = buildApi({
    logger,
    access: { callers, owners: store.resourceOwners },
    peers,
    tokens: { tokens: store.tokens },
    webhooks: webhooks.routes,
    packages: { packages, ingest, quota, verifications },
    packageData: { packages, blobs, live: liveBlobs },
    packageDroplet: { droplets },
    packageSource: {
      packages,
      ledger,
      ingest,
      scanSegments: segmentedScans(DEFAULT_ARCHIVE_LIMITS),
      quota,
      segments: new SegmentTables(blobs),
      live: liveBlobs,
    },
    results: { results, diffs: new ResultDiffs({ results, blobs, live: liveBlobs, readEntries: entriesOf }) },
    images: { images },
    resources: { ingest, quota },
    exchange: { exporter, importer },
    stagers: { packages, stagers, limits },
    stagerSecrets: { stagers, secrets },
    stagerCaches: { caches },
    pipelines: { pipelines, stagers },
    policies: { policies, wakeups },
    resolution: { packages, resolver },
    stagings: {
      stagings: service,
      receivers: webhooks.receivers,
      ledger,
      nodes: store.nodes,
      self: identity,
      kept,
      packages,
      stagers,
      pipelines,
      ingest,
      quota,
    },
    stagingLog: { ledger, logs },
    keptLaunches: { kept },
    runs: { runs },
    dropletRuns: { runs, uploads: dropletUploads, quota },
    node: { node, readiness, stagings: service, nodes: store.nodes, self: nodeId },
    nodes: { nodes: store.nodes, wakeups, stagings: service, self: nodeId },
    metrics: { registry },
    garbage: { garbage },
    backups: { backups, restorer },
    bootstraps: { bootstraps, logs: bootstrapLogs },
  })
  callers.trust(api.server)
  const stagingCounts = () => ledger.counts(nodeId)
  const { deliveries } = webhooks
  const forNodes = credentials && { credentials, callers }
  return { api, service, deliveries, runs, bootstraps, readiness, stagingCounts, verifier, cloudFoundry, forNodes }
}
