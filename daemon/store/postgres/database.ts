import { setTimeout as delay } from 'node:timers/promises'
import type { ClientBase, PoolConfig, QueryConfig, QueryResult } from 'pg'
import { BadInput, Fault } from '../../../base/errors.js'
import type { Step, Transactions, Work } from '../sql/work.js'
import { asDatabaseError, isAnswer, isConflict, isReadOnly, isStale } from './errors.js'
import { migrate } from './migrate.js'
import { numbered, type Numbered } from './numbered.js'
import { PostgresServers, readOnly, type PostgresServer } from './servers.js'

/** The oldest that the contract suites run on, and that is still maintained. */
const OLDEST = 15

const MOST_ATTEMPTS = 10
/** A node that stops in the middle of a transaction must not stop the others, and a server that is cut off must not stop a node. */
const IDLE_MS = 30_000

/** A transaction that has met others asks for its turn: those that are run again then follow one another. */
const TURN = 'LOCK TABLE package_changes IN SHARE ROW EXCLUSIVE MODE'

export type PostgresOptions = Pick<
  PoolConfig,
  'host' | 'port' | 'database' | 'user' | 'password' | 'ssl' | 'max' | 'options' | 'query_timeout'
> & {
  /** Servers that may take the place of that one: standbys of it, and it of them. */
  readonly others?: readonly PostgresServer[] | undefined
}

/**
 * The connections of this process to PostgreSQL, and the only place that begins transactions.
 *
 * INVARIANTS
 * - Transactions that write are serialisable. One that conflicts with another is rolled back and run again from the start.
 * - What has been committed is not run again: a COMMIT without an answer is an error, because it may have had its effect.
 * - A transaction has one connection, and no two of its statements are under way at once.
 * - A connection on which a statement was not answered in time is closed at once.
 */
export class PostgresDatabase implements Transactions {
  readonly #servers: PostgresServers
  readonly #texts = new Map<string, Numbered>()
  #version = ''
  #ended: Promise<void> | undefined

  private constructor(servers: PostgresServers) {
    this.#servers = servers
  }

  /**
   * Connects to the first server that takes changes, and migrates the tables in the first schema of the search path.
   *
   * Throws `BadInput` (`postgresql-too-old`, `postgresql-encoding`, `database-too-new`), `Fault` (`postgresql-not-durable`),
   * `Unavailable` (`database-unreachable`, `postgresql-refused`, `postgresql-read-only`).
   */
  static async open({ host, port, ssl, others = [], ...options }: PostgresOptions): Promise<PostgresDatabase> {
    // Who stores in SQLite does not load it.
    const { types } = (await import('pg')).default
    const common: PoolConfig = {
      application_name: 'stagerd',
      connectionTimeoutMillis: 10_000,
      idle_in_transaction_session_timeout: IDLE_MS,
      query_timeout: IDLE_MS,
      keepAlive: true,
      types: {
        // int8 and numeric: all of them are lengths, counts and positions, which numbers hold exactly.
        getTypeParser: (oid: number, format?: 'text' | 'binary') =>
          oid === 20 || oid === 1700 ? Number : (types.getTypeParser(oid, format) as unknown),
      },
      ...options,
    }
    const database = new PostgresDatabase(await PostgresServers.of(common, [{ host, port, ssl }, ...others]))
    try {
      await database.#prepare()
      return database
    } catch (error) {
      await database.close()
      throw asDatabaseError(error)
    }
  }

  read<T, This>(work: (this: This) => Work<T>, thisArg?: This): Promise<T> {
    return this.#transaction('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', () => work.call(thisArg as This))
  }

  write<T, This>(work: (this: This) => Work<T>, thisArg?: This): Promise<T> {
    return this.#transaction('BEGIN ISOLATION LEVEL SERIALIZABLE', () => work.call(thisArg as This))
  }

  /** As in "PostgreSQL 15.18 on db.example.org"; the version is that of the start. */
  get server(): string {
    return `PostgreSQL ${this.#version} on ${this.#servers.host}`
  }

  /** Whether another server may take the place of the one that is used now. */
  get hasOthers(): boolean {
    return this.#servers.count > 1
  }

  /** Waits for the transactions that are under way. Idempotent. */
  close(): Promise<void> {
    return (this.#ended ??= this.#servers.end())
  }

  async #prepare(): Promise<void> {
    const client = await this.#servers.connect()
    try {
      this.#version = await assertSuitable(client)
      await migrate(client)
      client.release()
    } catch (error) {
      // With what it may have begun.
      client.release(error as Error)
      throw error
    }
  }

  async #transaction<T>(begin: string, work: () => Work<T>): Promise<T> {
    for (let attempt = 1; ; attempt++)
      try {
        return await this.#attempt(attempt > 2 ? `${begin}; ${TURN}` : begin, work)
      } catch (error) {
        if (!(isConflict(error) || isStale(error)) || attempt === MOST_ATTEMPTS) throw asDatabaseError(error)
        await delay(Math.random() * 2 ** attempt)
      }
  }

  async #attempt<T>(begin: string, work: () => Work<T>): Promise<T> {
    const client = await this.#servers.connect()
    const used: Used = { client }
    try {
      await ask(used, begin)
      const checks = new Map<string, () => Work<void>>()
      const result = await this.#do(used, work(), checks)
      for (const check of checks.values()) await this.#do(used, check(), checks)
      const { command } = await ask(used, 'COMMIT')
      // It is a rollback if the work went on after a statement that has failed.
      if (command !== 'COMMIT') throw new Fault('database-failed', 'PostgreSQL rolled a transaction back at its end.')
      return result
    } catch (error) {
      // Behind a statement without an answer, it would wait for that one. The server rolls back what has no connection.
      if (!used.broken) await ask(used, 'ROLLBACK').catch((failed: unknown) => (used.broken = failed as Error))
      if (isStale(error) || isReadOnly(error)) used.broken = error
      throw error
    } finally {
      client.release(used.broken)
    }
  }

  async #do<T>(used: Used, work: Work<T>, checks: Map<string, () => Work<void>>): Promise<T> {
    let next = work.next()
    while (!next.done) {
      let answer: unknown
      try {
        answer = await this.#answer(used, next.value, checks)
      } catch (error) {
        next = work.throw(error)
        continue
      }
      next = work.next(answer)
    }
    return next.value
  }

  async #answer(used: Used, step: Step, checks: Map<string, () => Work<void>>): Promise<unknown> {
    if (step.kind === 'check') return void checks.set(step.what, step.check)
    const { rows, rowCount } = await ask(used, {
      ...numbered(this.#texts, step.text),
      values: [...step.values],
    })
    switch (step.kind) {
      case 'all':
        return rows
      case 'one':
        return rows[0]
      case 'run':
        return rowCount ?? 0
    }
  }
}

/** A connection that has a transaction. */
interface Used {
  readonly client: ClientBase
  /** Why it must be closed. */
  broken?: Error | undefined
}

async function ask(used: Used, query: string | QueryConfig): Promise<QueryResult<Record<string, unknown>>> {
  try {
    return await used.client.query<Record<string, unknown>>(query)
  } catch (error) {
    if (!isAnswer(error)) used.broken = error as Error
    throw error
  }
}

/** Returns the version. */
async function assertSuitable(client: ClientBase): Promise<string> {
  const show = async (name: string) => {
    const { rows } = await client.query<{ value: string }>('SELECT current_setting($1) AS value', [name])
    return rows[0]?.value ?? ''
  }
  const version = await show('server_version')
  assertVersion(Number(await show('server_version_num')), version)
  const encoding = await show('server_encoding')
  if (encoding !== 'UTF8')
    throw new BadInput(
      'postgresql-encoding',
      `The database has the encoding ${encoding}, which lacks characters: create one with ENCODING 'UTF8' and TEMPLATE template0.`,
    )
  if ((await show('transaction_read_only')) === 'on') throw readOnly()
  if ((await show('synchronous_commit')) === 'off')
    throw new Fault(
      'postgresql-not-durable',
      'PostgreSQL has synchronous_commit = off, under which a power failure loses what was acknowledged: set it to on for this role or database.',
    )
  // "15.18 (Debian 15.18-0+deb12u1)"
  return version.split(' ')[0] ?? version
}

/** @param number `server_version_num`: 150018 is 15.18 */
export function assertVersion(number: number, version: string): void {
  if (Math.floor(number / 10_000) >= OLDEST) return
  throw new BadInput(
    'postgresql-too-old',
    `PostgreSQL ${version} is too old: stagerd needs ${OLDEST} or later, so upgrade the server (pg_upgrade) or name another one.`,
  )
}
