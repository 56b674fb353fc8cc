import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { Leases } from '../../base/leases.js'
import { LogStore } from '../../daemon/log/log-store.js'
import { isTerminal } from '../../daemon/model/staging.js'
import { Resolver } from '../../daemon/resolver/resolver.js'
import { Seal } from '../../daemon/secrets/seal.js'
import { Secrets } from '../../daemon/secrets/secrets.js'
import { planLaunch } from '../../daemon/staging/plan.js'
import { Reuse } from '../../daemon/staging/reuse.js'
import { StagingService } from '../../daemon/staging/staging-service.js'
import { DirectoryBlobStore } from '../../daemon/store/directory-blob-store.js'
import { Connection } from '../../daemon/store/sqlite/connection.js'
import { InProcessWakeups } from '../../daemon/store/wakeups.js'
import { SqliteStore } from '../../daemon/store/sqlite/store.js'

const APP = { namespace: '/', name: 'app' }
const NODE = { uuid: randomUUID(), name: 'node', labels: [], address: undefined, concurrency: 4 }
const PIPELINE = { namespace: '/', name: 'pipeline' }

const resource = (digit: string) => ({
  uuid: randomUUID(),
  sha256: digit.repeat(64),
  sha1: undefined,
  length: 1000,
  compression: 'gzip' as const,
  removals: [],
})

/** The staging service on a database with the stagings of the past, without an Engine: it can only answer. */
export class StagedNode {
  private constructor(
    private readonly store: SqliteStore,
    private readonly service: StagingService,
  ) {}

  static async open(directory: string, past: { readonly stagers: number; readonly stagings: number }) {
    await mkdir(join(directory, 'blobs'), { recursive: true })
    const file = join(directory, 'stagerd.db')
    const before = SqliteStore.open(file)
    await createPipeline(before, past.stagers)
    await stageOnce(before)
    before.close()
    repeatStaging(file, past.stagings)

    const store = SqliteStore.open(file)
    const { ledger, packages, pipelines, stagers, references } = store
    const logger = pino({ level: 'silent' })
    const blobs = await DirectoryBlobStore.open(join(directory, 'blobs'))
    const logs = new LogStore(join(directory, 'logs'), async (uuid) => isTerminal((await ledger.get(uuid)).state))
    const { reuse, secrets } = partsOf(store, blobs)
    const uploads = { blobs, references, liveBlobs: new Leases(), logger }
    const nothing = () => Promise.resolve()
    const service = new StagingService(
      {
        ...{ packages, stagers, pipelines, ledger, reuse, logs, logger, uploads, secrets },
        janitor: { sweepOnceEngineIsBack: nothing, keepSweeping: nothing, sweepForTheLastTime: nothing },
        kept: { stop: nothing },
        prepared: { stop: nothing },
        toCome: { queued: nothing },
        term: { nodes: store.nodes, node: NODE, ledgerOf: (term) => store.nodeLedger(term) },
        wakeups: new InProcessWakeups(),
        launches: { run: () => Promise.reject(new Error('there is no Engine')) },
      },
      2,
    )
    service.start()
    while (!service.ready) await nothing()
    return new StagedNode(store, service)
  }

  /** From the request to the answer, in milliseconds. */
  async submit(): Promise<{ readonly ms: number; readonly processorMs: number }> {
    const used = process.cpuUsage()
    const began = performance.now()
    const { state, reused } = await this.service.submit(APP, PIPELINE, {
      source: { resource: resource('a'), dependencies: undefined, environment: undefined },
    })
    const ms = performance.now() - began
    const { user, system } = process.cpuUsage(used)
    if (state !== 'succeeded' || reused === undefined) throw new Error(`the staging was not answered: it is ${state}.`)
    return { ms, processorMs: (user + system) / 1000 }
  }

  async close(): Promise<void> {
    await this.service.stop()
    this.store.close()
  }
}

const PLAN = { environment: { always: {}, withEgress: {} }, node: { version: 'bench' } }

function partsOf(store: SqliteStore, blobs: DirectoryBlobStore | undefined) {
  const { ledger, packages, policies } = store
  const resolver = new Resolver(packages, policies)
  const secrets = new Secrets({ repository: store.secrets, seal: new Seal(Buffer.alloc(32)) })
  const notThere = { verify: () => Promise.resolve(undefined) }
  const kept = { blobs: blobs ?? notThere, liveBlobs: new Leases(), logger: pino({ level: 'silent' }) }
  return { resolver, secrets, reuse: new Reuse({ ledger, resolver, plan: PLAN, secrets, ...kept }) }
}

async function createPipeline({ packages, stagers, pipelines }: SqliteStore, count: number): Promise<void> {
  const metadata = { namespace: '/', provides: [], dependencies: [], environment: {}, templates: [] }
  await packages.create({
    ...metadata,
    name: 'os',
    provides: [{ type: 'os', name: 'linux' }],
    state: 'ready',
    resource: resource('1'),
  })
  await packages.create({ ...metadata, name: 'app', resource: resource('a') })
  const dependencies = [{ type: 'os' as const, name: 'linux' }]
  const uuids: string[] = []
  for (let n = 0; n < count; n++) {
    const program = {
      ...metadata,
      name: `program-${n}`,
      dependencies,
      state: 'ready' as const,
      resource: resource('2'),
    }
    const { uuid: packageUuid } = await packages.create(program)
    const { uuid } = await stagers.create({
      ...{ namespace: '/', name: `stager-${n}`, packageUuid, startCommand: './build', additive: false, egress: false },
      ...{ user: 'runner', dependencies: [], environment: {} },
      limits: { memoryBytes: 2 ** 28, cpus: 1, pids: 64, diskBytes: 2 ** 30, timeoutMs: 60_000 },
    })
    uuids.push(uuid)
  }
  await pipelines.create({ ...PIPELINE, stagers: uuids })
}

/** As the launches of a pipeline do it. */
async function stageOnce(store: SqliteStore): Promise<void> {
  const { packages, pipelines, stagers } = store
  const ledger = store.nodeLedger(await store.nodes.openTerm(NODE))
  const { resolver, reuse } = partsOf(store, undefined)
  const { uuid: packageUuid } = await packages.get(APP)
  const found = await Promise.all((await pipelines.get(PIPELINE)).stagers.map((uuid) => stagers.get({ uuid })))
  await ledger.submit({ packageUuid, pipelineFqn: 'stagpipe::/::pipeline', stagers: found })
  let staging = await ledger.admitNext()
  while (staging?.state === 'running') {
    const { uuid, step, work } = staging
    const now = staging
    const { given } = await resolver.with((catalogue) => planLaunch(now, '', catalogue, PLAN))
    const launch = randomUUID()
    await ledger.beginLaunch(uuid, { uuid: launch, stagerFqn: `job::/::stager-${step}`, step, given })
    await ledger.launchRunning(launch)
    const left = { ...work, resource: resource((step % 6).toString(16)) }
    staging = await (step + 1 < found.length
      ? ledger.advance(launch, left)
      : ledger.succeed(launch, left, await reuse.again(staging, left)))
  }
}

/** Each second one of the same package. They have one stager each, which is as much as their number needs. */
function repeatStaging(file: string, times: number): void {
  const database = new Connection(file)
  const uuid = `lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(6)))`
  database.exec(`
    WITH RECURSIVE turn (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM turn WHERE n < ${times})
    INSERT INTO stagings (uuid, state, package, package_fqn, package_state_before, pipeline_fqn, stagers, work, input, source,
      submitted_at, started_at, ended_at)
    SELECT ${uuid}, 'succeeded', CASE n % 2 WHEN 0 THEN package ELSE ${uuid} END, package_fqn, 'ready', pipeline_fqn,
      json_array(json_extract(stagers, '$[0]')), work, json_set(input, '$.resource.sha256', hex(randomblob(32))),
      json_object('resource', json_set(json_extract(input, '$.resource'), '$.sha256', hex(randomblob(32)))),
      submitted_at, started_at, ended_at
    FROM stagings, turn WHERE sequence = 1;
    INSERT INTO launches (uuid, staging, stager_fqn, step, state, started_at, ended_at)
    SELECT ${uuid}, sequence, 'job::/::stager-0', 0, 'done', started_at, ended_at FROM stagings WHERE sequence > 1;`)
  database.close()
}
