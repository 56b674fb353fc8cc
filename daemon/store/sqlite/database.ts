import { closeSync, openSync } from 'node:fs'
import type { Statement, Transaction } from 'better-sqlite3'
import { errnoOf, Fault, StagerdError, Unavailable } from '../../../base/errors.js'
import { storageError } from '../storage-errors.js'
import { Connection } from './connection.js'
import { migrate } from './migrate.js'
import { MIGRATIONS, type Migration } from './migrations.js'
import { rewriteLog } from './rewrite-log.js'

/** 3.51.3 fixes a race between a checkpoint and a reset of the WAL that can lose commits. */
const OLDEST_SQLITE = [3, 51, 3] as const

export interface DatabaseOptions {
  readonly migrations?: readonly Migration[]
  /** How long to wait for a transaction of another process, in milliseconds. The event loop is blocked meanwhile. */
  readonly busyTimeoutMs?: number
  /** Default: `wal`. With `delete`, the file is complete when a write resolves: nothing of it is in a log beside it. */
  readonly journal?: Journal
}

type Journal = 'wal' | 'delete'

/**
 * The only connection of this process, and the only place that begins transactions.
 *
 * INVARIANTS
 * - WAL with `synchronous=FULL`: the commit is fsynced when `write` resolves. better-sqlite3 is compiled with NORMAL,
 *   under which a power failure can lose acknowledged commits, so the settings are verified.
 * - A commit whose fsync fails is rolled back, and nothing is written to the same blocks of the log again: before the next
 *   transaction, what is committed is copied to the database, and the log is cut off.
 * - `work` is synchronous and does nothing but SQL and what is pure, so no other code of this process runs during a transaction.
 */
export class StagerdDatabase {
  readonly #sqlite: Connection
  /** Made once: to make one takes as long as a short transaction. */
  readonly #inTransaction: Transaction<(work: () => unknown) => unknown>
  readonly #statements = new Map<string, Statement>()
  /** Of the transaction that is open. */
  readonly #checks = new Map<string, () => void>()
  /** Since a write of it has failed. */
  #isLogDoubtful = false

  private constructor(sqlite: Connection) {
    this.#sqlite = sqlite
    this.#inTransaction = sqlite.transaction((work) => work())
  }

  /**
   * Opens or creates the database, and migrates it. The directory must exist, and nobody else may have the database open.
   *
   * Throws `Fault` (`sqlite-too-old`, `sqlite-not-durable`, `database-damaged`), `BadInput` (`database-too-new`).
   */
  static open(path: string, options: DatabaseOptions = {}): StagerdDatabase {
    const { migrations = MIGRATIONS, busyTimeoutMs = 5_000, journal = 'wal' } = options
    // SQLite would create it with the permissions that the umask leaves.
    closeSync(openSync(path, 'a', 0o600))
    rewriteLog(path)
    const sqlite = new Connection(path)
    try {
      assertVersion(sqlite)
      makeDurable(sqlite, busyTimeoutMs, journal)
      migrate(sqlite, migrations)
      return new StagerdDatabase(sqlite)
    } catch (error) {
      sqlite.close()
      throw isDamage(error) ? damaged(path, error) : error
    }
  }

  /** `work` reads from one snapshot. */
  read<T>(work: () => T): Promise<T> {
    return this.#run(() => this.#inTransaction.deferred(work) as T)
  }

  /**
   * Commits what `work` writes, durably; rolls back if it throws.
   *
   * Rejects with `Unavailable` (`disk-full`, `disk-error`, `database-locked`), or with what `work` throws.
   */
  write<T>(work: () => T): Promise<T> {
    return this.#write(() => {
      this.#checks.clear()
      const checked = () => {
        const result = work()
        for (const check of this.#checks.values()) check()
        return result
      }
      return this.#inTransaction.immediate(checked) as T
    })
  }

  /**
   * To be used inside `write`: `check` is called when the work is done. If it throws, nothing is committed.
   *
   * @param what names the check; of several with one name, the last is called
   */
  beforeCommit(what: string, check: () => void): void {
    this.#checks.set(what, check)
  }

  /**
   * Writes a copy with everything that is committed. `file` must not exist. Blocks the event loop meanwhile: about a second
   * for 200 MB.
   */
  copyTo(file: string): Promise<void> {
    return this.#run(() => void this.statement('VACUUM INTO ?').run(file))
  }

  /**
   * Calls `work` in a transaction in which the database in `file` can be read as `other`. Rolls back if it throws.
   *
   * Foreign keys are checked at the end of it.
   */
  writeBeside<T>(file: string, work: () => T): Promise<T> {
    return this.#write(() => {
      this.statement('ATTACH ? AS other').run(file)
      try {
        const deferred = () => {
          this.statement('PRAGMA defer_foreign_keys = ON').run()
          return work()
        }
        return this.#inTransaction.immediate(deferred) as T
      } finally {
        this.statement('DETACH other').run()
      }
    })
  }

  /** Prepared once. To be used inside `read` or `write`. */
  statement<Row = unknown>(sql: string): Statement<unknown[], Row> {
    let statement = this.#statements.get(sql)
    if (!statement) this.#statements.set(sql, (statement = this.#sqlite.prepare(sql)))
    return statement as Statement<unknown[], Row>
  }

  /** Idempotent. */
  close(): void {
    this.#sqlite.close()
  }

  #write<T>(work: () => T): Promise<T> {
    return this.#run(() => {
      try {
        this.#renewLog()
        return work()
      } catch (error) {
        if (/^SQLITE_IOERR/.test(errnoOf(error) ?? '')) this.#isLogDoubtful = true
        throw error
      }
    })
  }

  /**
   * The blocks of a write that has failed may never be read as written, even if a later write of the same bytes succeeds: so
   * does ext4 with new blocks, which it marks as written when their first write succeeds.
   */
  #renewLog(): void {
    if (!this.#isLogDoubtful) return
    const [result] = this.#sqlite.pragma('wal_checkpoint(TRUNCATE)') as readonly [{ readonly busy: number }]
    if (result.busy === 0) this.#isLogDoubtful = false
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
  const mapped = storageError(error, 'write to the database')
  if (mapped instanceof StagerdError) return mapped
  const code = errnoOf(mapped)
  if (code?.startsWith('SQLITE_BUSY'))
    return new Unavailable('database-locked', 'Another process has locked the database: is a second stagerd running?', {
      cause: error,
    })
  if (code?.startsWith('SQLITE_'))
    return new Fault('database-failed', `The database failed: ${(mapped as Error).message} (${code}).`, {
      cause: error,
    })
  return mapped instanceof Error ? mapped : new Error(String(mapped))
}

function isDamage(error: unknown): boolean {
  return /^SQLITE_(?:NOTADB|CORRUPT)/.test(errnoOf(error) ?? '')
}

function damaged(path: string, cause: unknown): Fault {
  return new Fault(
    'database-damaged',
    `The database ${path} is damaged: put its directory aside, start with an empty one, and restore the last backup (stagectl node restore).`,
    { cause },
  )
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

/** Throws `Fault` (`sqlite-not-durable`) if a setting has no effect. */
export function makeDurable(sqlite: Connection, busyTimeoutMs: number, journal: Journal = 'wal'): void {
  // First, because the switch to WAL may have to wait for another connection.
  sqlite.pragma(`busy_timeout = ${busyTimeoutMs}`)
  sqlite.pragma(`journal_mode = ${journal}`)
  sqlite.pragma('synchronous = FULL')
  sqlite.pragma('foreign_keys = ON')
  const wanted = { busy_timeout: busyTimeoutMs, journal_mode: journal, synchronous: 2, foreign_keys: 1 }
  for (const [pragma, value] of Object.entries(wanted)) {
    const found = sqlite.pragma(pragma, { simple: true })
    if (found !== value)
      throw new Fault(
        'sqlite-not-durable',
        `SQLite reports ${pragma} = ${String(found)} instead of ${value}: is the database on a filesystem without shared memory?`,
      )
  }
}
