import type { Pool, PoolClient, PoolConfig } from 'pg'
import { errnoOf, messageOf, Unavailable } from '../../../base/errors.js'
import { isReadOnly, READ_ONLY } from './errors.js'

/** Where one server answers. */
export type PostgresServer = Pick<PoolConfig, 'host' | 'port' | 'ssl'>

/**
 * Tries each server, beginning with the one at `first`, until one lets `attempt` succeed. Returns that and its position. If there is
 * none, throws the error of one that has answered, and otherwise that of the first. Throws at once what is `Unavailable`: it says
 * nothing about the server.
 */
export async function firstThat<T>(
  servers: number,
  first: number,
  attempt: (index: number) => Promise<T>,
): Promise<{ readonly index: number; readonly value: T }> {
  const failures: unknown[] = []
  for (let tried = 0; tried < servers; tried++) {
    const index = (first + tried) % servers
    try {
      return { index, value: await attempt(index) }
    } catch (error) {
      if (error instanceof Unavailable) throw error
      failures.push(error)
    }
  }
  // One that has no room now may be the primary. That others are none would be no news then.
  const telling = [hasNoRoom, isReadOnly, isRefusal].map((tells) => failures.find((error) => tells(error)))
  throw telling.find((error) => error !== undefined) ?? failures[0]
}

function hasNoRoom(error: unknown): boolean {
  return errnoOf(error)?.startsWith('53') === true
}

/** Of PostgreSQL itself, whose codes have five characters. */
function isRefusal(error: unknown): boolean {
  return /^[0-9A-Z]{5}$/.test(errnoOf(error) ?? '')
}

/**
 * Connections to the first of several servers that takes changes, as libpq has them with `target_session_attrs=read-write`. The one
 * that did last is asked first, so that a server which comes back is not used before the others fail.
 */
export class PostgresServers {
  readonly #pools: readonly Pool[]
  /** The connections of each pool that are made. The others that it counts are being made. */
  readonly #made: ReadonlyMap<Pool, Set<PoolClient>>
  readonly #hosts: readonly string[]
  #current = 0

  private constructor(pools: readonly Pool[], hosts: readonly string[]) {
    this.#pools = pools
    this.#hosts = hosts
    this.#made = new Map(pools.map((pool) => [pool, new Set()]))
    for (const pool of pools) {
      // An idle connection that breaks is replaced when the next one is needed.
      pool.on('error', () => undefined)
      // One that is in use breaks its transaction, and says so here as well: without a listener, that would end the process.
      pool.on('connect', (client) => {
        client.on('error', () => undefined)
        this.#made.get(pool)?.add(client)
      })
      pool.on('remove', (client) => void this.#made.get(pool)?.delete(client))
    }
  }

  /** @param servers at least one */
  static async of(options: PoolConfig, servers: readonly PostgresServer[]): Promise<PostgresServers> {
    // Who stores in SQLite does not load it.
    const { Pool } = (await import('pg')).default
    const verify = servers.length > 1 ? { verify: assertWritable } : {}
    return new PostgresServers(
      servers.map((server) => new Pool({ ...options, ...server, ...verify })),
      servers.map(({ host = 'localhost' }) => host),
    )
  }

  /** Of the server that is used now. */
  get host(): string {
    return this.#hosts[this.#current] ?? ''
  }

  get count(): number {
    return this.#pools.length
  }

  /** The caller releases it. Rejects with `Unavailable` (`database-busy`) if none was released in time, and errors of the driver. */
  async connect(): Promise<PoolClient> {
    const { index, value } = await firstThat(this.#pools.length, this.#current, (at) => {
      const pool = this.#pools[at]
      if (!pool) throw new Error(`there is no server ${at}`)
      return this.#checkOut(pool)
    })
    this.#current = index
    return value
  }

  async #checkOut(pool: Pool): Promise<PoolClient> {
    try {
      return await pool.connect()
    } catch (error) {
      const { max } = pool.options
      // Also said to those that wait for a connection which cannot be made.
      if (messageOf(error) !== WAITED_IN_VAIN || this.#made.get(pool)?.size !== max) throw error
      throw new Unavailable(
        'database-busy',
        `All ${max} connections to PostgreSQL are in use: try again, or let there be more with postgresql-connections.`,
        { cause: error },
      )
    }
  }

  /** Waits for the connections that are in use. */
  async end(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.end()))
  }
}

/** What `pg` says to those for whom nothing was released within `connectionTimeoutMillis`. */
const WAITED_IN_VAIN = 'timeout exceeded when trying to connect'

/** Whether a new connection is to a server that takes changes. */
function assertWritable(client: PoolClient, done: (error?: Error) => void): void {
  client.query<{ readonly transaction_read_only: string }>('SHOW transaction_read_only').then(
    ({ rows: [row] }) => done(row?.transaction_read_only === 'off' ? undefined : readOnly()),
    (error: unknown) => done(error as Error),
  )
}

/** As the server says it. */
export function readOnly(): Error {
  return Object.assign(new Error('the transaction is read-only'), { code: READ_ONLY })
}
