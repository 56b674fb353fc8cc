import { SqlStore, type StoreOptions } from '../sql/store.js'
import { sql } from '../sql/work.js'
import { PostgresBackups } from './backups.js'
import { PostgresDatabase, type PostgresOptions } from './database.js'
import { POSTGRES } from './dialect.js'
import { asDatabaseError } from './errors.js'
import { PostgresWakeups } from './wakeups.js'

/** The repositories that nodes share. */
export class PostgresStore extends SqlStore {
  readonly backups: PostgresBackups
  readonly wakeups: PostgresWakeups
  readonly #database: PostgresDatabase

  /** It closes both. */
  constructor(database: PostgresDatabase, wakeups: PostgresWakeups, options: StoreOptions = {}) {
    super(database, POSTGRES, options)
    this.#database = database
    this.wakeups = wakeups
    this.backups = new PostgresBackups(database, () => {
      this.packages.forget()
      this.policies.forget()
    })
  }

  /** See `PostgresDatabase.open` for what it throws. */
  static async open(connection: PostgresOptions, options?: StoreOptions): Promise<PostgresStore> {
    const database = await PostgresDatabase.open(connection)
    try {
      return new PostgresStore(database, await PostgresWakeups.open(connection), options)
    } catch (error) {
      await database.close()
      throw asDatabaseError(error)
    }
  }

  get server(): string {
    return this.#database.server
  }

  async risks(): Promise<readonly string[]> {
    if (!this.#database.hasOthers) return []
    const row = await this.#database.read(() =>
      sql.one<{ readonly commit: string; readonly names: string }>(
        `SELECT current_setting('synchronous_commit') AS commit, current_setting('synchronous_standby_names') AS names`,
      ),
    )
    if (row?.names !== '' && row?.commit !== 'local') return []
    return [
      'PostgreSQL does not wait for its standbys, so when one of them takes its place, the last of what was acknowledged is lost: set synchronous_standby_names, and synchronous_commit to on',
    ]
  }

  async close(): Promise<void> {
    await this.wakeups.close()
    await this.#database.close()
  }
}
