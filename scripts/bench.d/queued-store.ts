import { randomUUID } from 'node:crypto'
import pg from 'pg'
import type { PostgresOptions } from '../../daemon/store/postgres/database.js'
import { PostgresStore } from '../../daemon/store/postgres/store.js'
import type { NodeLedger } from '../../daemon/store/node-ledger.js'
import type { SqlStore } from '../../daemon/store/sql/store.js'
import { Connection } from '../../daemon/store/sqlite/connection.js'
import { SqliteStore } from '../../daemon/store/sqlite/store.js'

const NODE = { uuid: randomUUID(), name: 'node', labels: ['here'], address: undefined, concurrency: 4 }
const FULL = '/full'

/** Why stagings are queued. */
export type Queue =
  /** They may run: the oldest is next. */
  | 'admissible'
  /** They need a label that no node has. */
  | 'label'
  /** As many of their namespace run as a policy allows. */
  | 'limit'

export interface Taken {
  readonly submitMs: number
  readonly admitMs: number
}

/** A database in which so many stagings are queued. They have no packages, so that they can only be admitted. */
export class QueuedStore {
  private constructor(
    private readonly store: SqlStore,
    private readonly ledger: NodeLedger,
    private readonly packageUuid: string,
    private readonly queue: Queue,
  ) {}

  static async sqlite(file: string, queue: Queue, count: number): Promise<QueuedStore> {
    const open = () => Promise.resolve(SqliteStore.open(file))
    return await QueuedStore.#open(open, queue, (one) => {
      const database = new Connection(file)
      database.exec(queueing(one, queue, count))
      database.close()
      return Promise.resolve()
    })
  }

  static async postgres(connection: PostgresOptions, queue: Queue, count: number): Promise<QueuedStore> {
    const open = () => PostgresStore.open({ ...connection, max: 2 })
    return await QueuedStore.#open(open, queue, async (one) => {
      const client = new pg.Client(connection)
      await client.connect()
      await client.query(queueing(one, queue, count))
      await client.query('ANALYZE')
      await client.end()
    })
  }

  static async #open(open: () => Promise<SqlStore>, queue: Queue, fill: (one: string) => Promise<void>) {
    const before = await open()
    const { uuid: packageUuid } = await before.packages.create({
      ...{ namespace: '/bench', name: 'app', provides: [], dependencies: [], environment: {}, templates: [] },
      resource: {
        uuid: randomUUID(),
        sha256: 'a'.repeat(64),
        sha1: undefined,
        length: 1000,
        compression: 'gzip',
        removals: [],
      },
    })
    await before.policies.put({ namespace: '/', name: 'limit', text: `on quota::${FULL} { running.stagings 0 }` })
    const { uuid } = await before.ledger.submit(requestFor(packageUuid))
    await before.ledger.requestCancel(uuid)
    await before.close()
    await fill(uuid)
    const store = await open()
    return new QueuedStore(store, store.nodeLedger(await store.nodes.openTerm(NODE)), packageUuid, queue)
  }

  /** Submits one and admits the next one, and ends the former. */
  async take(): Promise<Taken> {
    const began = performance.now()
    const { uuid } = await this.ledger.submit(requestFor(this.packageUuid))
    const submitted = performance.now()
    const admitted = await this.ledger.admitNext()
    const ended = performance.now()
    const isOwn = admitted?.uuid === uuid
    if (!admitted || isOwn !== (this.queue !== 'admissible'))
      throw new Error(`the wrong staging was admitted: ${admitted?.uuid}`)
    if (isOwn) await this.ledger.fail(uuid, undefined, { cause: 'timeout', stager: undefined, message: '', hint: '' })
    else await this.ledger.requestCancel(uuid)
    return { submitMs: submitted - began, admitMs: ended - submitted }
  }

  async close(): Promise<void> {
    await this.store.close()
  }
}

function requestFor(packageUuid: string) {
  const limits = { memoryBytes: 2 ** 28, cpus: 1, pids: 64, diskBytes: 2 ** 30, timeoutMs: 60_000 }
  const stager = {
    ...{ uuid: randomUUID(), namespace: '/bench', name: 's', packageUuid: randomUUID(), startCommand: './build' },
    ...{ additive: false, egress: false, user: 'runner', dependencies: [], environment: {}, limits },
  }
  return { packageUuid, pipelineFqn: 'stagpipe::/bench::p', stagers: [stager] }
}

/** In the SQL of both. @param one the UUID of the staging that they are like */
function queueing(one: string, queue: Queue, count: number): string {
  const namespace = queue === 'limit' ? FULL : '/bench'
  const labels = queue === 'label' ? '["nowhere"]' : '[]'
  return `
    WITH RECURSIVE turn (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM turn WHERE n < ${count})
    INSERT INTO stagings (uuid, state, package, package_fqn, package_state_before, pipeline_fqn, stagers, work, input, labels,
      submitted_at)
    SELECT 'staging-' || n, 'queued', 'package-' || n, 'package::${namespace}::app-' || n, 'uploaded', pipeline_fqn, stagers, work,
      input, '${labels}', submitted_at
    FROM stagings, turn WHERE uuid = '${one}'`
}
