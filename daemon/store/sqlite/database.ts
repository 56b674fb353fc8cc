import { closeSync, openSync } from 'node:fs'
import type { Statement } from 'better-sqlite3'
import { errnoOf, Fault, StagerdError, Unavailable } from '../../../base/errors.js'
import { withDiskFull } from '../storage-errors.js'
import { Connection } from './connection.js'
import { migrate } from './migrate.js'
import { MIGRATIONS, type Migration } from './migrations.js'

/** 3.51.3 mends a race between a checkpoint and a reset of the WAL that could lose commits. */
const OLDEST_SQLITE = [3, 51, 3] as const

export interface DatabaseOptions {
  readonly migrations?: readonly Migration[]
  /** How long to wait for another program's transaction, in milliseconds; nothing else happens meanwhile. */
  readonly busyTimeoutMs?: number
}

/**
 * The one connection of this process, and the only place that begins transactions.
 *
 * INVARIANTS
 * - WAL with `synchronous=FULL`: when `write` has resolved, the commit has been fsynced. better-sqlite3 is compiled with
 *   NORMAL, under which a power cut can take acknowledged commits back; so what holds is asked, not assumed.
 * - `work` is synchronous and does nothing but SQL: nothing else of this process runs in the middle of it.
 */
export class StagerdDatabase {
  readonly #sqlite: Connection
  readonly #statements = new Map<string, Statement>()

  private constructor(sqlite: Connection) {
    this.#sqlite = sqlite
  }

  /**
   * Open or create the database, and migrate it. The directory must be there.
   *
   * Throws `Fault` (`sqlite-too-old`, `sqlite-not-durable`, `database-too-new`).
   */
  static open(path: string, options: DatabaseOptions = {}): StagerdDatabase {
    const { migrations = MIGRATIONS, busyTimeoutMs = 5_000 } = options
    // SQLite would make it readable by everybody that the umask allows.
    closeSync(openSync(path, 'a', 0o600))
    const sqlite = new Connection(path)
    try {
      assertVersion(sqlite)
      makeDurable(sqlite, busyTimeoutMs)
      migrate(sqlite, migrations)
      return new StagerdDatabase(sqlite)
    } catch (error) {
      sqlite.close()
      throw error
    }
  }

  /** One snapshot for all that `work` reads. */
  read<T>(work: () => T): Promise<T> {
    return this.#run(() => this.#sqlite.transaction(work).deferred())
  }

  /**
   * All of what `work` writes, durably, or, when it throws, nothing.
   *
   * Rejects with `Unavailable` (`disk-full`, `database-locked`), or with what `work` throws.
   */
  write<T>(work: () => T): Promise<T> {
    return this.#run(() => this.#sqlite.transaction(work).immediate())
  }

  /** Prepared once. Only inside `read` or `write`. */
  statement<Row = unknown>(sql: string): Statement<unknown[], Row> {
    let statement = this.#statements.get(sql)
    if (!statement) this.#statements.set(sql, (statement = this.#sqlite.prepare(sql)))
    return statement as Statement<unknown[], Row>
  }

  /** Idempotent. */
  close(): void {
    this.#sqlite.close()
  }

  #run<T>(work: () => T): Promise<T> {
    try {
      return Promise.resolve(work())
    } catch (error) {
      return Promise.reject(asStorageError(error))
    }
  }
}

function asStorageError(error: unknown): Error {
  const mapped = withDiskFull(error, 'write to the database')
  if (mapped instanceof StagerdError) return mapped
  const code = errnoOf(mapped)
  if (code?.startsWith('SQLITE_BUSY'))
    return new Unavailable('database-locked', 'Another program holds the database: is a second stagerd running?', {
      cause: error,
    })
  if (code?.startsWith('SQLITE_'))
    return new Fault('database-failed', `The database refused: ${(mapped as Error).message} (${code}).`, {
      cause: error,
    })
  return mapped instanceof Error ? mapped : new Error(String(mapped))
}

function assertVersion(sqlite: Connection): void {
  const version = sqlite.prepare<[], string>('SELECT sqlite_version()').pluck().get() ?? ''
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
  const [oldMajor, oldMinor, oldPatch] = OLDEST_SQLITE
  const number = (a: number, b: number, c: number) => a * 1_000_000 + b * 1_000 + c
  if (number(major, minor, patch) < number(oldMajor, oldMinor, oldPatch))
    throw new Fault(
      'sqlite-too-old',
      `SQLite ${version} can lose commits: stagerd needs ${OLDEST_SQLITE.join('.')} or later (update better-sqlite3).`,
    )
}

/** Throws `Fault` (`sqlite-not-durable`) where what was set did not take hold. */
export function makeDurable(sqlite: Connection, busyTimeoutMs: number): void {
  // First, because the switch to WAL may have to wait for another connection.
  sqlite.pragma(`busy_timeout = ${busyTimeoutMs}`)
  sqlite.pragma('journal_mode = WAL')
  sqlite.pragma('synchronous = FULL')
  sqlite.pragma('foreign_keys = ON')
  const wanted = { busy_timeout: busyTimeoutMs, journal_mode: 'wal', synchronous: 2, foreign_keys: 1 }
  for (const [pragma, value] of Object.entries(wanted)) {
    const found = sqlite.pragma(pragma, { simple: true })
    if (found !== value)
      throw new Fault(
        'sqlite-not-durable',
        `SQLite answers ${pragma} = ${String(found)}, where ${value} was set: is the database on a filesystem without shared memory?`,
      )
  }
}
