import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { pino } from 'pino'
import { Coordinator } from '../../daemon/coordinator/coordinator.js'
import type { Capability } from '../../daemon/packages/metadata.js'
import type { Package } from '../../daemon/packages/package.js'
import { Resolver } from '../../daemon/resolver/resolver.js'
import type { Lease } from '../../daemon/staging/held-term.js'
import { Janitor } from '../../daemon/staging/janitor.js'
import { KeptLaunches } from '../../daemon/staging/kept-launches.js'
import { LaunchRunner } from '../../daemon/staging/launch-runner.js'
import { LiveContainers } from '../../daemon/staging/live-containers.js'
import { LogStore } from '../../daemon/log/log-store.js'
import { Seal } from '../../daemon/secrets/seal.js'
import { Secrets } from '../../daemon/secrets/secrets.js'
import { Reuse } from '../../daemon/staging/reuse.js'
import { StagingService, type SubmitOptions } from '../../daemon/staging/staging-service.js'
import { isTerminal, type Staging } from '../../daemon/model/staging.js'
import { DirectoryBlobStore } from '../../daemon/store/directory-blob-store.js'
import { Leases } from '../../base/leases.js'
import { LaunchesToCome } from '../../daemon/staging/launches-to-come.js'
import { PreparedLaunches } from '../../daemon/staging/prepared-launches.js'
import { Releases } from '../../daemon/staging/releases.js'
import { PackageQuota } from '../../daemon/store/package-quota.js'
import { type ArchiveReader, ResourceIngest } from '../../daemon/store/resource-ingest.js'
import type { SqlPackages } from '../../daemon/store/sql/packages.js'
import { SqliteStore } from '../../daemon/store/sqlite/store.js'
import type { StagerDraft } from '../../daemon/store/repositories.js'
import type { Term } from '../../daemon/model/node.js'
import { InProcessWakeups } from '../../daemon/store/wakeups.js'
import { nodeIdentity, openLedger } from './fleet/node-ledger.js'
import { FakeIsolation, type FakeStager } from './fake-isolation.js'

/** How many containers the harness keeps at once. */
export const MAX_KEPT = 2

/** That secrets are sealed with. */
const SECRETS_KEY = Buffer.alloc(32, 7)

const NODE = nodeIdentity()

/** What a launch may have in the store. */
export const LAUNCH_BYTES = 1 << 20

/**
 * The staging service with the real store and the real coordinator, on a fake isolation. Archives are not checked unless
 * it is given a reader, because other tests cover that.
 */
export class StagingHarness {
  #parts: Parts

  private constructor(
    readonly directory: string,
    readonly isolation: FakeIsolation,
    public limit: number,
    /** How many containers are created ahead. */
    private readonly ahead: number,
    private readonly archives: ArchiveReader,
    private readonly lease: Lease | undefined,
    parts: Parts,
  ) {
    this.#parts = parts
  }

  /** @param lease by default, the node has the database to itself */
  static async open(limit = 2, ahead = 2, archives = UNCHECKED, lease?: Lease): Promise<StagingHarness> {
    const directory = await mkdtemp(path.join(tmpdir(), 'stagerd-staging-service-'))
    await mkdir(path.join(directory, 'blobs'))
    const isolation = new FakeIsolation()
    const parts = await assemble(directory, isolation, limit, ahead, archives, lease)
    return new StagingHarness(directory, isolation, limit, ahead, archives, lease, parts)
  }

  get service(): StagingService {
    return this.#parts.service
  }

  /** The parts of the daemon that is there at present. */
  get parts(): Parts {
    return this.#parts
  }

  get packages(): SqlPackages {
    return this.#parts.packages
  }

  start(): void {
    this.service.start()
  }

  /** Stops the daemon and starts another one on the same state. */
  async restart(): Promise<void> {
    await this.service.stop()
    this.#parts.store.close()
    this.#parts = await assemble(this.directory, this.isolation, this.limit, this.ahead, this.archives, this.lease)
    this.start()
  }

  /**
   * Leaves the state as a daemon does that was killed, with so many stagings admitted and without any launch, and requests
   * to cancel some of them that it could not carry out. Then another daemon is there, which has not started.
   */
  async crash({ admitted, cancelled = [] }: { readonly admitted: number; readonly cancelled?: readonly string[] }) {
    const ledger = await openLedger(this.#parts.store, NODE)
    for (let n = 0; n < admitted; n++) await ledger.admitNext()
    for (const uuid of cancelled) await this.#parts.ledger.requestCancel(uuid)
    await this.service.stop()
    this.#parts.store.close()
    this.#parts = await assemble(this.directory, this.isolation, this.limit, this.ahead, this.archives, this.lease)
  }

  async close(): Promise<void> {
    await this.service.stop()
    this.#parts.store.close()
    await rm(this.directory, { recursive: true })
  }

  /** Creates a ready package. Its data is its name. */
  async addPackage(name: string, options: Partial<PackageOptions> = {}): Promise<Package> {
    const blob = await this.#parts.blobs.write(Readable.from([Buffer.from(name)]))
    return await this.packages.create({
      namespace: '/',
      name,
      provides: options.provides ?? [],
      dependencies: options.dependencies ?? [],
      environment: options.environment ?? {},
      templates: [],
      state: options.state ?? 'ready',
      resource: { uuid: crypto.randomUUID(), ...blob, compression: 'gzip', removals: [] },
    })
  }

  /** Creates a pipeline whose stagers are functions, in the given order. */
  async addPipeline(
    name: string,
    stagers: Readonly<Record<string, FakeStager>>,
    options: Partial<StagerDraft> = {},
  ): Promise<void> {
    const uuids: string[] = []
    for (const [stagerName, stager] of Object.entries(stagers)) {
      // The program provides its own operating system. Other tests cover the composition of roots.
      const os = { type: 'os', name: `of-${stagerName}` } as const
      const program = await this.addPackage(`program-of-${stagerName}`, { provides: [os] })
      this.isolation.stagers.set(`./${stagerName}`, stager)
      const { uuid } = await this.#parts.stagers.create({
        namespace: '/',
        name: stagerName,
        packageUuid: program.uuid,
        startCommand: `./${stagerName}`,
        additive: false,
        egress: false,
        user: 'runner',
        limits: { memoryBytes: 1 << 28, cpus: 1, pids: 64, diskBytes: 1 << 20, timeoutMs: 20_000 },
        dependencies: [],
        environment: {},
        ...options,
      })
      uuids.push(uuid)
    }
    await this.#parts.pipelines.create({ namespace: '/', name, stagers: uuids })
  }

  async putPolicy(text: string): Promise<void> {
    await this.#parts.policies.put({ namespace: '/', name: 'rules', text })
  }

  /** Sets another package as the program of a stager. */
  async giveProgram(stager: string, packageUuid: string): Promise<void> {
    await this.#parts.stagers.update({ namespace: '/', name: stager }, { packageUuid })
  }

  submit(packageName: string, pipeline: string, options: SubmitOptions = {}): Promise<Staging> {
    return this.service.submit({ namespace: '/', name: packageName }, { namespace: '/', name: pipeline }, options)
  }

  staging(uuid: string): Promise<Staging> {
    return this.#parts.ledger.get(uuid)
  }

  /** Waits for the terminal state of a staging and for its complete log. */
  async ended(uuid: string): Promise<Staging> {
    await this.log(uuid)
    const staging = await this.staging(uuid)
    if (!isTerminal(staging.state)) throw new Error(`the log of ${uuid} ended while it is ${staging.state}`)
    return staging
  }

  /** All lines of the log, after the end of the staging. */
  async log(uuid: string): Promise<string[]> {
    const lines: string[] = []
    const signal = AbortSignal.timeout(15_000)
    for await (const { text } of this.#parts.logs.follow(uuid, { since: 0, follow: true, signal })) lines.push(text)
    signal.throwIfAborted()
    return lines
  }

  async data(name: string): Promise<string> {
    const { resource } = await this.packages.get({ namespace: '/', name })
    const { stream } = await this.#parts.blobs.open(resource?.sha256 ?? '')
    return Buffer.concat((await stream.toArray()) as Buffer[]).toString()
  }
}

export interface PackageOptions {
  readonly provides: readonly Capability[]
  readonly dependencies: readonly Capability[]
  readonly environment: Readonly<Record<string, string>>
  readonly state: 'uploaded' | 'ready'
}

type Parts = Awaited<ReturnType<typeof assemble>>

const UNCHECKED: ArchiveReader = {
  scan: async (body) => {
    await body.toArray()
    return { compression: 'gzip', entries: 1, bytes: 1, canonical: true }
  },
  detectCompression: () => Promise.resolve('gzip'),
  canonicalise: (body) => Promise.resolve(body),
}

async function assemble(
  directory: string,
  isolation: FakeIsolation,
  limit: number,
  ahead: number,
  archives: ArchiveReader,
  lease: Lease | undefined,
) {
  const store = SqliteStore.open(path.join(directory, 'stagerd.db'))
  const { ledger, packages, stagers, pipelines, policies } = store
  const logger = pino({ level: 'silent' })
  const blobs = await DirectoryBlobStore.open(path.join(directory, 'blobs'))
  const ingest = new ResourceIngest(blobs, archives, 1 << 30)
  const logs = new LogStore(path.join(directory, 'logs'), async (uuid) => isTerminal((await ledger.get(uuid)).state))
  const live = new LiveContainers()
  const janitor = new Janitor({ isolation, live, logger })
  const resolver = new Resolver(packages, policies)
  const plan = {
    environment: { always: {}, withEgress: { http_proxy: 'http://proxy:3128', no_proxy: '.lan' } },
    node: { version: '1' },
  }
  const secrets = new Secrets({ repository: store.secrets, seal: new Seal(SECRETS_KEY) })
  const kept = new KeptLaunches({ limit: MAX_KEPT, logger })
  const coordinator = new Coordinator({ logger })
  const prepared = new PreparedLaunches({
    ...{ isolation, coordinator, live, janitor, logger },
    ...{ limit: ahead, forMs: 60_000 },
  })
  const liveBlobs = new Leases()
  const reuse = new Reuse({ ledger, resolver, plan, secrets, blobs, liveBlobs, logger })
  const toCome = new LaunchesToCome({ prepared, resolver, plan, ledger })
  const launches = new LaunchRunner({
    isolation,
    coordinator,
    resolver,
    workingCopy: {
      blobs,
      ingest,
      toGzip: (body) => Promise.resolve(body),
      quota: new PackageQuota(() => 1 << 30),
      liveBlobs,
      launchBytes: LAUNCH_BYTES,
    },
    plan,
    reuse,
    secrets,
    live,
    prepared,
    toCome,
    releases: new Releases((): number => service.limit),
    janitor,
    kept,
    logger,
    graceAfterVerdictMs: 200,
  })
  const uploads = { blobs, references: store.references, liveBlobs, logger }
  const parts = {
    ledger,
    packages,
    stagers,
    pipelines,
    janitor,
    kept,
    prepared,
    toCome,
    launches,
    reuse,
    logs,
    logger,
    uploads,
    secrets,
    term: { nodes: store.nodes, node: NODE, ledgerOf: (term: Term) => store.nodeLedger(term), lease },
    wakeups: new InProcessWakeups(),
    retryMs: 5,
  }
  const service = new StagingService(parts, limit)
  return {
    store,
    blobs,
    ingest,
    ledger,
    packages,
    stagers,
    pipelines,
    policies,
    logs,
    service,
    janitor,
    kept,
    prepared,
    secrets,
  }
}

/** Sends a request of a fake stager. Throws unless the status is the expected one. */
export async function call(
  url: string,
  request: string,
  body?: string | URLSearchParams,
  expected = 200,
): Promise<string> {
  const [method = '', path = ''] = request.split(' ')
  // A stager has connections of its own: one that was kept could lead to a listener that was at the same port before.
  const headers = { connection: 'close' }
  const response = await fetch(url + path, { method, headers, ...(body === undefined ? {} : { body }) })
  const text = await response.text()
  if (response.status !== expected) throw new Error(`${request}: ${response.status} ${text}`)
  return text
}
