import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import { expect } from 'vitest'
import { Leases } from '../../../base/leases.js'
import type { Manifest } from '../../../daemon/packages/manifest/manifest.js'
import type { Capability, Template } from '../../../daemon/packages/metadata.js'
import type { Resource } from '../../../daemon/packages/package.js'
import { Resolver } from '../../../daemon/resolver/resolver.js'
import { Runs } from '../../../daemon/runs/runs.js'
import type { RunRequest } from '../../../daemon/runs/run.js'
import { LiveContainers } from '../../../daemon/staging/live-containers.js'
import { SqliteStore } from '../../../daemon/store/sqlite/store.js'
import { FakeIsolation, type FakeStager } from '../../support/fake-isolation.js'
import { logTo } from '../api/api-client.js'
import { temporaryDirectory } from '../store/temporary-directory.js'

export const LIMITS = { memoryBytes: 1 << 28, cpus: 1, pids: 64, diskBytes: 1 << 20, timeoutMs: 1 }

/** The environment of the node. */
export const NODE = { always: { SSL_CERT_FILE: '/ca.pem' }, withEgress: { http_proxy: 'http://proxy:3128' } }

export const untilStopped: FakeStager = async ({ signal }) => {
  if (!signal.aborted) await once(signal, 'abort')
}

const resourceOf = (sha256: string): Resource => ({
  ...{ uuid: randomUUID(), sha256, sha1: undefined, length: 1, compression: 'gzip', removals: [] },
})

interface PackageOptions {
  readonly state?: 'uploaded' | 'ready'
  readonly environment?: Readonly<Record<string, string>>
  readonly dependencies?: readonly Capability[]
  readonly provides?: readonly Capability[]
  readonly templates?: readonly Template[]
  readonly manifest?: Manifest
}

/** Runs in a fake isolation. No test may leave a resource of a run, a blob that is held, or an id that a sweep spares. */
export class RunsUnderTest {
  readonly store: SqliteStore
  readonly isolation = new FakeIsolation()
  readonly live = new LiveContainers()
  readonly liveBlobs = new Leases()
  readonly logged: string[] = []
  readonly runs: Runs
  /** The output of the programs, in order. */
  readonly written: string[] = []

  private constructor(private readonly directory: Awaited<ReturnType<typeof temporaryDirectory>>) {
    this.store = SqliteStore.open(path.join(directory.path, 'stagerd.db'))
    const { isolation, live, liveBlobs, store } = this
    const { packages, policies, ledger } = store
    this.runs = new Runs({
      packages,
      ledger,
      ingest: { reuse: (sha256) => Promise.resolve(resourceOf(sha256)) },
      resolver: new Resolver(packages, policies),
      isolation,
      live,
      liveBlobs,
      logger: logTo(this.logged),
      defaults: { limits: LIMITS, environment: NODE },
    })
  }

  static async open(): Promise<RunsUnderTest> {
    return new RunsUnderTest(await temporaryDirectory())
  }

  async close(): Promise<void> {
    await this.runs.stop()
    this.store.close()
    await this.directory.remove()
    expect([...this.isolation.left]).toEqual([])
    expect(this.liveBlobs.snapshot()).toEqual(new Set())
    expect([...this.live.ids]).toEqual([])
  }

  addPackage(name: string, options: PackageOptions = {}) {
    return this.store.packages.create({
      namespace: '/',
      name,
      state: 'ready',
      environment: {},
      dependencies: [],
      provides: [],
      templates: [],
      resource: resourceOf(Buffer.from(name).toString('hex').padEnd(64, '0')),
      ...options,
    })
  }

  /** A ready package whose START_COMMAND is this program. */
  async addApp(program: FakeStager): Promise<void> {
    this.isolation.stagers.set('./app', program)
    await this.addPackage('app', { environment: { START_COMMAND: './app' } })
  }

  start(request: Partial<RunRequest> = {}, signal = new AbortController().signal) {
    const output = (stream: string, chunk: Buffer) => {
      this.written.push(`${stream}: ${String(chunk)}`)
      return Promise.resolve()
    }
    const asked = {
      package: { namespace: '/', name: 'app' },
      input: false,
      environment: {},
      publish: [],
      egress: false,
      ...request,
    }
    return this.runs.start(asked, { output }, signal)
  }
}
