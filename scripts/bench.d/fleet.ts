import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { PostgresServer } from '../../test/daemon/store/postgres-server.js'
import { SwiftServer } from '../../test/support/s3/swift-server.js'
import { FleetDaemon } from './fleet-daemon.js'
import { connectToEngine, type BenchHost } from './host.js'
import { processorTime } from './processor-time.js'
import { median, rowOf, type Row } from './row.js'
import { draftsOf, stagings } from './throughput.js'
import type { StagingDraft } from './bench-launch.js'
import { UnixHttp } from './unix-http.js'

const STAGINGS = 16
const DAEMONS = 3
const BUSYBOX = '/apcera/pkg/os::busybox'
/** Each of them takes seconds. */
const MOST_PAIRS = 3

/** Milliseconds for one staging. */
interface Run {
  readonly wall: number
  readonly database: number
  readonly blobs: number
  readonly daemons: number
}

/**
 * Null stagings by one, two and three daemons on the processors of this host, which share a PostgreSQL and an object store, beside
 * the daemon that keeps everything itself. The share of the database's processor time is printed.
 */
export async function benchFleet(host: BenchHost): Promise<Row[]> {
  const engine = connectToEngine()
  const alone = new UnixHttp(host.socket)
  const fleet = await Fleet.start(host)
  try {
    const own = await draftsOf(alone, 'bench-launch')
    await fleet.furnish(host)
    const drafts = await draftsOf(fleet.daemons[0]!.api, 'bench-launch')
    const run = (apis: readonly UnixHttp[], of: readonly StagingDraft[]) =>
      fleet.measured(() => stagings(apis, engine, of, STAGINGS))
    const configurations = [
      () => run([alone], own),
      ...Array.from({ length: DAEMONS }, (_, index) => () => {
        const apis = fleet.daemons.slice(0, index + 1).map(({ api }) => api)
        return run(apis, drafts)
      }),
    ]
    for (const once of configurations) await once()
    const turns: Run[][] = []
    for (let turn = 0; turn < Math.min(host.pairs, MOST_PAIRS); turn++) {
      const runs: Run[] = []
      for (let n = 0; n < configurations.length; n++) {
        const index = turn % 2 === 0 ? n : configurations.length - 1 - n
        runs[index] = await configurations[index]!()
      }
      turns.push(runs)
    }
    printRest(turns)
    return rowsOf(turns)
  } finally {
    await fleet.stop()
  }
}

function rowsOf(turns: readonly Run[][]): Row[] {
  const row = (work: string, ours: number, beside: string, other: number, target: number) =>
    rowOf(
      { work, beside, target, unit: 'ms' },
      turns.map((runs) => ({ ours: runs[ours]!.wall, other: runs[other]!.wall })),
    )
  return [
    row('null staging, PostgreSQL and an object store', 1, 'SQLite and a directory', 0, 2),
    row('null staging, 2 daemons', 2, '1 daemon', 1, 1.25),
    row('null staging, 3 daemons', 3, '1 daemon', 1, 1.25),
  ]
}

function printRest(turns: readonly Run[][]): void {
  const of = (index: number, what: (run: Run) => number) => median(turns.map((runs) => what(runs[index]!)))
  console.log('Stagings a minute, and processor time for one (medians, ms): daemons, database, object store')
  for (let index = 0; index <= DAEMONS; index++) {
    const name = index === 0 ? 'SQLite and a directory' : `${index} of PostgreSQL and an object store`
    const figures = [60_000 / of(index, ({ wall }) => wall), of(index, ({ daemons }) => daemons)]
    const shared = index === 0 ? [] : [of(index, ({ database }) => database), of(index, ({ blobs }) => blobs)]
    console.log(`  ${name.padEnd(40)} ${[...figures, ...shared].map((one) => one.toFixed(1).padStart(8)).join(' ')}`)
  }
}

class Fleet {
  private constructor(
    readonly daemons: readonly FleetDaemon[],
    private readonly database: PostgresServer,
    private readonly blobs: SwiftServer,
    private readonly host: BenchHost,
  ) {}

  static async start(host: BenchHost): Promise<Fleet> {
    const [database, blobs] = [await PostgresServer.start({ autovacuum: 'on' }), await SwiftServer.open()]
    const fleet = new Fleet([], database, blobs, host)
    try {
      const daemons: FleetDaemon[] = []
      const flags = await fleet.#flags()
      // One after the other: the first one makes the tables.
      for (let n = 0; n < DAEMONS; n++) {
        const name = ['--node-name', `bench-${n}`]
        daemons.push(await FleetDaemon.start(host.root, join(host.work, `fleet-${n}`), [...flags, ...name]))
      }
      return new Fleet(daemons, database, blobs, host)
    } catch (error) {
      await fleet.stop()
      throw error
    }
  }

  async #flags(): Promise<readonly string[]> {
    const { bucket, credentials, endpoint } = this.blobs.options
    const [keys, secrets] = [join(this.host.work, 's3-credentials'), join(this.host.work, 'secrets.key')]
    await writeFile(keys, `${credentials!.accessKeyId}\n${credentials!.secretAccessKey}\n`, { mode: 0o600 })
    await writeFile(secrets, 'k'.repeat(32), { mode: 0o600 })
    return [
      ...['--concurrency', '16', '--prepared', '6', '--log-level', 'debug'],
      ...['--database', 'postgresql', '--postgresql-tls', 'disable', '--postgresql-database', 'postgres'],
      ...['--postgresql-host', this.database.directory, '--postgresql-port', String(this.database.port)],
      ...['--postgresql-user', 'stagerd'],
      ...['--blob-store', 's3', '--s3-endpoint', endpoint, '--s3-bucket', bucket],
      ...['--s3-credentials', keys, '--secrets-key', secrets],
    ]
  }

  /** Gives it what `benchLaunch` needs. */
  async furnish({ root, socket, work }: BenchHost): Promise<void> {
    const file = join(work, 'busybox.cntmp')
    const env = { STAGERD_SOCKET: socket }
    await execa(join(root, 'bin/stagectl'), ['package', 'export', BUSYBOX, '--file', file], { env })
    const { stagectl } = this.daemons[0]!
    await stagectl('package', 'import', file)
    await stagectl(
      ...['stager', 'create', '/bench::bench-launch', '--path', join(work, 'stager'), '--depends-on', 'os.busybox'],
      ...['--pipeline', '--start-command', 'wget -q -O - --post-data= "$STAGER_URL/done"'],
    )
    const subject = ['--name', '/bench::bench-subject', '--pipeline', '/bench::bench-launch']
    await stagectl('stage', join(work, 'subject'), ...subject)
  }

  /** For one staging of those that `work` does. */
  async measured(work: () => Promise<void>): Promise<Run> {
    const used = async () => {
      const sum = async (...pids: number[]) =>
        (await Promise.all(pids.map(processorTime))).reduce((all, { own, helpers }) => all + own + helpers, 0)
      return {
        wall: performance.now(),
        database: await sum(this.database.pid),
        blobs: await sum(this.blobs.pid),
        daemons: await sum(this.host.daemonPid, ...this.daemons.map(({ pid }) => pid)),
      }
    }
    const before = await used()
    await work()
    const after = await used()
    const each = (name: keyof Run) => (after[name] - before[name]) / STAGINGS
    return { wall: each('wall'), database: each('database'), blobs: each('blobs'), daemons: each('daemons') }
  }

  async stop(): Promise<void> {
    await Promise.all(this.daemons.map((daemon) => daemon.stop()))
    const images = join(this.host.root, 'scripts/lib/remove-root-images.js')
    for (let n = 0; n < this.daemons.length; n++)
      await execa(process.execPath, [images, join(this.host.work, `fleet-${n}`, 'state')])
    await this.database.stop()
    await this.blobs.close()
  }
}
