import { SqlStore, type StoreOptions } from '../sql/store.js'
import { PostgresBackups } from './backups.js'
import { PostgresDatabase, type PostgresOptions } from './database.js'
import { POSTGRES } from './dialect.js'
import { asDatabaseError } from './errors.js'
import { PostgresWakeups } from './wakeups.js'

/** The repositories that nodes share. */
export class PostgresStore extends SqlStore {
  readonly backups: PostgresBackups
  readonly wakeups: PostgresWakeups
  readonly server: string
  readonly #database: PostgresDatabase

  /** It closes both. */
  constructor(database: PostgresDatabase, wakeups: PostgresWakeups, options: StoreOptions = {}) {
    super(database, POSTGRES, options)
    this.#database = database
    this.wakeups = wakeups
    this.server = database.server
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

  async close(): Promise<void> {
    await this.wakeups.close()
    await this.#database.close()
  }
}
