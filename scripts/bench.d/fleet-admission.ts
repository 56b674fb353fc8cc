import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PostgresServer } from '../../test/daemon/store/postgres-server.js'
import { QueuedStore, type Queue, type Taken } from './queued-store.js'
import { limitRowOf, type Pair, type Row } from './row.js'

const MANY = 10_000
const FEW = 10
const LIMIT_MS = 50
const WARM_UP_ROUNDS = 10

const QUEUES: Readonly<Record<Queue, string>> = {
  admissible: 'queued',
  label: 'queued for a label of no node',
  limit: 'queued in a full namespace',
}

/** A submission and an admission with many queued stagings, beside the same with a few, in both databases. No Engine is needed. */
export async function benchAdmission({ pairs }: { pairs: number }): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'stagerd-bench-admission-'))
  // Durable, as that of an operator.
  const server = await PostgresServer.start({
    fsync: 'on',
    full_page_writes: 'on',
    autovacuum: 'on',
    shared_buffers: '128MB',
  })
  const databases = {
    SQLite: (queue: Queue, count: number) => QueuedStore.sqlite(join(directory, `${queue}-${count}.db`), queue, count),
    PostgreSQL: async (queue: Queue, count: number) => QueuedStore.postgres(await server.schema(), queue, count),
  }
  const rows: Row[] = []
  try {
    for (const [database, open] of Object.entries(databases))
      for (const queue of Object.keys(QUEUES) as Queue[]) {
        const [many, few] = [await open(queue, MANY), await open(queue, FEW + WARM_UP_ROUNDS + pairs)]
        rows.push(...rowsOf(`in ${database}, ${MANY} ${QUEUES[queue]}`, queue, await measured(many, few, pairs)))
        for (const store of [many, few]) await store.close()
      }
    return rows
  } finally {
    await server.stop()
    await rm(directory, { recursive: true })
  }
}

async function measured(many: QueuedStore, few: QueuedStore, pairs: number) {
  const found: { readonly ours: Taken; readonly other: Taken }[] = []
  for (let round = -WARM_UP_ROUNDS; round < pairs; round++) {
    const before = round % 2 === 0 ? undefined : await few.take()
    const ours = await many.take()
    const pair = { ours, other: before ?? (await few.take()) }
    if (round >= 0) found.push(pair)
  }
  return found
}

function rowsOf(where: string, queue: Queue, found: readonly { readonly ours: Taken; readonly other: Taken }[]): Row[] {
  const row = (work: string, of: (taken: Taken) => number) => {
    const pairs = found.map(({ ours, other }): Pair => ({ ours: of(ours), other: of(other) }))
    return limitRowOf({ work: `${work} ${where}`, beside: 'a few queued', limit: LIMIT_MS, unit: 'ms' }, pairs)
  }
  const admission = row('admission', ({ admitMs }) => admitMs)
  return queue === 'admissible' ? [row('submission', ({ submitMs }) => submitMs), admission] : [admission]
}
