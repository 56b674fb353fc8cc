import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { Registry } from 'prom-client'
import { errnoOf, Fault } from '../base/errors.js'
import { CleanupStack } from '../base/cleanup-stack.js'
import { isUuid } from '../base/identifiers.js'
import { DEFAULT_ARCHIVE_LIMITS } from '../isolation/archive/limits.js'
import { scanArchive } from '../isolation/archive/scan.js'
import { gzipStream } from '../isolation/archive/transcode.js'
import { DockerIsolation } from '../isolation/docker/docker-isolation.js'
import { LayerDirectoryCache } from '../isolation/layers/layer-cache.js'
import { chooseCompressor } from '../isolation/archive/compressor.js'
import { buildApi } from './api/api.js'
import { loadCaBundle } from './ca-bundle.js'
import { prepareSocketPath, restrictSocket } from './control-socket.js'
import { Coordinator } from './coordinator/coordinator.js'
import { closureOf } from './resolver/closure.js'
import { Exporter } from './exchange/export.js'
import { Importer } from './exchange/import.js'
import { Collector } from './garbage/collector.js'
import { ImagePackages } from './images/image-packages.js'
import { isForLoopback, refuseForeignHost } from './loopback-host.js'
import { NodeReport } from './node/node-report.js'
import { Resolver } from './resolver/resolver.js'
import { quotaOf, remainingQuota } from './packages/policy/quota.js'
import { PackageRuns } from './runs/package-runs.js'
import type { Settings } from './settings.js'
import { Janitor } from './staging/janitor.js'
import { LaunchRunner } from './staging/launch-runner.js'
import { LiveContainers } from './staging/live-containers.js'
import { StagingLogs } from './staging/log.js'
import { StagingService } from './staging/staging-service.js'
import { isTerminal } from './model/staging.js'
import { DirectoryBlobStore } from './store/directory-blob-store.js'
import { LiveBlobs } from './store/live-blobs.js'
import { PackageQuota } from './store/package-quota.js'
import { ResourceIngest } from './store/resource-ingest.js'
import { loadNativeLibrary } from './store/sqlite/native-library.js'
import { SqliteStore } from './store/sqlite/store.js'
import { lockStateDirectory } from './store/sqlite/state-lock.js'

export interface Surroundings {
  readonly version: string
  readonly logger: Logger
}

/** Where this program lies: what `scripts/clean` knows a checkout's containers by. */
const INSTALL_DIRECTORY = path.resolve(fileURLToPath(new URL('../..', import.meta.url)))
const STAGER_USER = 'runner'

/**
 * The daemon without the process: every part is built here, once, and nowhere else.
 *
 * LIFECYCLE: `open` takes the state directory for itself; `start` listens and begins to work; `stop` undoes both, in
 * reverse, and may be called in any state, also after a failed `start`.
 */
export class App {
  private constructor(
    private readonly settings: Settings,
    private readonly surroundings: Surroundings,
    private readonly parts: {
      readonly api: FastifyInstance
      readonly service: StagingService
      readonly runs: PackageRuns
    },
    private readonly undo: CleanupStack,
  ) {}

  /** Throws `Conflict` (`state-dir-in-use`), `BadInput` for settings that cannot work here, `Fault` of the store. */
  static async open(settings: Settings, surroundings: Surroundings): Promise<App> {
    const undo = new CleanupStack()
    try {
      return await App.#open(settings, surroundings, undo)
    } catch (error) {
      await undo.run()
      throw error
    }
  }

  static async #open(settings: Settings, surroundings: Surroundings, undo: CleanupStack): Promise<App> {
    const { logger, version } = surroundings
    const { stateDir: state, limits } = settings
    if (process.getuid?.() !== 0)
      throw new Fault('not-root', 'stagerd mounts file systems and sets firewall rules, so it has to run as root.')
    loadNativeLibrary()
    await mkdir(state, { recursive: true, mode: 0o711 })
    const unlock = lockStateDirectory(path.join(state, 'lock.db'))
    undo.defer('unlock the state directory', unlock)

    const ca = await loadCaBundle(settings.caBundle)
    const nodeId = await ownNodeId(path.join(state, 'node-id'))
    const store = SqliteStore.open(path.join(state, 'stagerd.db'))
    undo.defer('close the database', () => store.close())
    const { packages, stagers, pipelines, policies, ledger } = store
    const resolver = new Resolver(packages, policies)
    const blobs = await DirectoryBlobStore.open(path.join(state, 'blobs'))
    const ingest = new ResourceIngest(
      blobs,
      (body, signal) => scanArchive(body, DEFAULT_ARCHIVE_LIMITS, signal),
      // Every caller says what the quota of its package is.
      Infinity,
    )
    const quota = new PackageQuota(async (namespace) =>
      remainingQuota(quotaOf(await resolver.policies(), namespace, settings.packageQuotaBytes), (realm) =>
        packages.totalLength(realm),
      ),
    )
    const liveBlobs = new LiveBlobs()

    const imports = path.join(state, 'imports')
    // A file is nameless while it is imported; one with a name is of a process that died in the moment between.
    await rm(imports, { recursive: true, force: true })

    const compressor = await chooseCompressor(settings.compressor)
    const resources = { open: async (sha256: string) => (await blobs.open(sha256)).stream }
    const isolation = new DockerIsolation({
      owner: { nodeId, installDirectory: INSTALL_DIRECTORY },
      stateDirectory: state,
      layers: await LayerDirectoryCache.open({ directory: path.join(state, 'layers'), resources }),
      addressPool: settings.bridgePool,
      compressor: settings.compressor,
      extraFiles: ca.files,
    })
    const live = new LiveContainers()
    const janitor = new Janitor({ isolation, live, logger })
    const logs = new StagingLogs(path.join(state, 'logs'), async (uuid) => isTerminal((await ledger.get(uuid)).state))
    const launches = new LaunchRunner({
      isolation,
      coordinator: new Coordinator({ logger }),
      ledger,
      resolver,
      workingCopy: {
        blobs,
        ingest,
        toGzip: (body, compression) => gzipStream(body, compression, compressor),
        quota,
        liveBlobs,
      },
      plan: { environment: ca.environment },
      live,
      janitor,
      logger,
      graceAfterVerdictMs: 5_000,
    })
    const service = new StagingService(
      { packages, stagers, pipelines, ledger, janitor, launches, logs, logger },
      settings.concurrency,
    )
    const runs = new PackageRuns({
      packages,
      resolver,
      isolation,
      live,
      logger,
      defaults: { limits, environment: ca.environment },
    })
    const api = buildApi({
      packages,
      stagers,
      pipelines,
      policies,
      resolver,
      ledger,
      blobs,
      ingest,
      quota,
      images: new ImagePackages({ isolation, ingest, packages, quota, live, logger }),
      exporter: new Exporter({
        packages,
        stagers,
        pipelines,
        blobs,
        closure: (found, dependencies) => closureOf(resolver, found, dependencies),
      }),
      importer: new Importer({
        exchange: store.exchange,
        ingest,
        live: liveBlobs,
        quota,
        directory: imports,
      }),
      garbage: new Collector({
        references: store.references,
        blobs,
        live: liveBlobs,
        isolation,
        logs,
        graceMs: settings.uploadGraceMs,
      }),
      stagings: service,
      logs,
      runs,
      node: new NodeReport(
        { version, nodeId, stateDir: state, concurrency: settings.concurrency },
        isolation,
        ledger,
        packages,
      ),
      metrics: new Registry(),
      isReady: () => service.ready,
      logger,
      defaults: {
        limits,
        user: STAGER_USER,
        uploadStallMs: 60_000,
        heartbeatMs: 15_000,
      },
    })
    return new App(settings, surroundings, { api, service, runs }, undo)
  }

  async start(): Promise<void> {
    const { socket, group, listen } = this.settings
    const { api, service, runs } = this.parts
    await prepareSocketPath(socket)
    // Last in, first out: people are sent away first, then what is at work is ended.
    this.undo.defer('stop staging', () => service.stop())
    this.undo.defer('stop what runs', () => runs.stop())
    this.undo.defer('close the control API', () => api.close())
    await api.listen({ path: socket })
    await restrictSocket(socket, group)
    if (listen) await this.#listenOnTcp(listen)
    service.start()
    this.surroundings.logger.info({ socket, state: this.settings.stateDir }, 'stagerd is ready')
  }

  /**
   * A second way to the same API: Fastify itself listens in one place. Uploads are watched by their pace, so there is no
   * limit on the whole of a request.
   */
  async #listenOnTcp(address: { readonly host: string; readonly port: number }): Promise<void> {
    const server = createServer({ requestTimeout: 0 }, (request, response) => {
      if (isForLoopback(request)) this.parts.api.routing(request, response)
      else refuseForeignHost(response)
    })
    this.undo.defer('close the TCP port', () => {
      server.close()
      server.closeAllConnections()
    })
    server.listen(address)
    await once(server, 'listening')
  }

  async stop(): Promise<void> {
    for (const { what, error } of await this.undo.run())
      this.surroundings.logger.error({ err: error, what }, 'the daemon did not stop cleanly')
  }
}

/** This staging node's UUID, made once for each state directory. */
async function ownNodeId(file: string): Promise<string> {
  try {
    const id = (await readFile(file, 'utf8')).trim()
    if (isUuid(id)) return id
    throw new Fault('bad-node-id', `${file} has to hold a UUID: restore it, or remove it together with the state.`)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
  const id = randomUUID()
  await writeFile(file, `${id}\n`, { mode: 0o644, flush: true })
  return id
}
