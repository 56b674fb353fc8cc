import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { makeDirectory } from '../../base/durable-directory.js'
import { Conflict, Fault, Unavailable } from '../../base/errors.js'
import { removeScrap } from '../../base/remove-scrap.js'
import { digestTables, type TableDigest } from '../store/sqlite/table-digests.js'
import { copyBlobs, lengthsIn, type CopiedBlobs } from './copy-blobs.js'
import { copyLogs } from './copy-logs.js'
import type { LogPlace } from './log-places.js'
import { Progress, type TextOutput } from './progress.js'
import type { Side } from './side.js'

export interface Migration {
  readonly from: Side
  readonly to: Side
  /** How long an upload is kept that no package refers to, in milliseconds. */
  readonly graceMs: number
  /** For copies of databases; created when needed. */
  readonly scrap: string
  readonly output: TextOutput
  readonly signal: AbortSignal
}

export interface Migrated {
  readonly rows: number
  readonly tables: number
  readonly resources: number
  /** Of all resources. */
  readonly bytes: number
  readonly logs: number
  /** What could not be copied, because the first node has lost it. */
  readonly lost: CopiedBlobs['lost']
}

type Digests = ReadonlyMap<string, TableDigest>

/**
 * Copies all of a node that does not run to another one, which has nothing yet.
 *
 * INVARIANTS
 * - The rows come last, in one transaction: until then the other database is empty, and whatever was copied before is only there sooner.
 *   So a migration that was interrupted at any point is run again from its start, and leaves out what is there.
 * - It succeeds only if both databases, read again, have the same rows, and the other node has all data and logs.
 * - Nothing is changed at the first node.
 *
 * Throws `Conflict` (`node-alive`, `store-not-empty`), `Fault` (`migration-differs`), `Unavailable` (`migration-incomplete`), the reason of
 * the signal, and what the stores throw.
 */
export async function migrate({ from, to, graceMs, scrap, output, signal }: Migration): Promise<Migrated> {
  const directory = path.join(scrap, randomUUID())
  const copy = path.join(directory, 'moved.db')
  try {
    await assertStopped(from, to)
    await makeDirectory(directory)
    const referred = await from.store.backups.copyTo(copy, 'everything')
    const rows = digestTables(copy)
    const before = await read(to, directory)
    const isMoved = differences(rows, before).length === 0
    if (!isMoved) assertEmpty(to, before)

    const { there, lost } = await copyBlobs({
      ...{ from: from.blobs, to: to.blobs, referred, graceMs, signal },
      begin: (count, bytes) => Progress.start(output, count, bytes),
    })
    const ended = new Map((await from.store.references.stagings()).map((one) => [one.uuid, one.endedAt !== undefined]))
    const logs = await copyLogs({ from: from.logs, to: to.logs, isComplete: (uuid) => ended.get(uuid), signal })
    const others = { from: from.bootstrapLogs, to: to.bootstrapLogs, isComplete: () => true, signal }
    const bootstrapLogs = await copyLogs(others)

    signal.throwIfAborted()
    await assertStopped(from, to)
    if (!isMoved) await to.store.backups.replaceBy(copy, false)

    assertSame(await read(from, directory), await read(to, directory))
    const lengths = await lengthsIn(to.blobs)
    assertThere('resources', there, (sha256) => lengths.get(sha256))
    await assertLogs(logs, to.logs)
    await assertLogs(bootstrapLogs, to.bootstrapLogs)
    return {
      ...{ rows: [...rows.values()].reduce((sum, one) => sum + one.rows, 0), tables: rows.size, lost },
      ...{ resources: there.size, bytes: [...there.values()].reduce((sum, length) => sum + length, 0) },
      logs: logs.size + bootstrapLogs.size,
    }
  } finally {
    await removeScrap(directory)
  }
}

/** Reads all rows of a node again. */
async function read({ store }: Side, directory: string): Promise<Digests> {
  const file = path.join(directory, `${randomUUID()}.db`)
  try {
    await store.backups.copyTo(file, 'everything')
    return digestTables(file)
  } finally {
    await removeScrap(file)
  }
}

/** Names of the tables whose rows differ, and of those that would give a number again. */
function differences(from: Digests, to: Digests): readonly string[] {
  return [...from].flatMap(([table, { rows, sha256, lastNumber }]) => {
    const other = to.get(table)
    const isSame = other?.rows === rows && other.sha256 === sha256 && other.lastNumber >= lastNumber
    return isSame ? [] : [table]
  })
}

/** A lock of a state directory shows that its node does not run; of others that share the database, their leases show it. */
async function assertStopped(...sides: readonly Side[]): Promise<void> {
  for (const { name, store } of sides) {
    const [node] = await store.nodes.alive()
    if (node)
      throw new Conflict(
        'node-alive',
        `The node ${node.name} works with ${name}, or did until a moment ago: stop stagerd there, and wait until its lease is over.`,
      )
  }
}

function assertEmpty({ name }: Side, digests: Digests): void {
  const found = [...digests].flatMap(([table, { rows }]) => (rows > 0 ? [`${rows} in ${table}`] : []))
  if (found.length > 0)
    throw new Conflict(
      'store-not-empty',
      `${name} has other rows than this node already (${found.join(', ')}): name a database that is empty.`,
    )
}

function assertSame(from: Digests, to: Digests): void {
  const tables = differences(from, to)
  if (tables.length > 0)
    throw new Fault(
      'migration-differs',
      `The rows of the two databases differ after they were copied (${tables.join(', ')}): has a node worked with one of them? Empty the new one, and run the migration again.`,
    )
}

/** Reads all of them again. */
async function assertLogs(wanted: ReadonlyMap<string, string>, place: LogPlace): Promise<void> {
  const found = new Map<string, string | undefined>()
  for (const uuid of wanted.keys()) found.set(uuid, await place.digest(uuid))
  assertThere('logs', wanted, (uuid) => found.get(uuid))
}

function assertThere<T>(what: string, wanted: ReadonlyMap<string, T>, found: (name: string) => T | undefined): void {
  const missing = [...wanted].filter(([name, known]) => found(name) !== known)
  if (missing.length > 0)
    throw new Unavailable(
      'migration-incomplete',
      `${missing.length} ${what} are not there any more after they were copied, ${missing[0]?.[0]} for one: run the migration again.`,
    )
}
