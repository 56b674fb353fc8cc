import { SqlStore, type StoreOptions } from '../sql/store.js'
import { PostgresBackups } from './backups.js'
import { PostgresDatabase, type PostgresOptions } from './database.js'
import { POSTGRES } from './dialect.js'

/** The repositories that nodes share. */
export class PostgresStore extends SqlStore {
  readonly backups: PostgresBackups
  readonly #database: PostgresDatabase

  constructor(database: PostgresDatabase, options: StoreOptions = {}) {
    super(database, POSTGRES, options)
    this.#database = database
    this.backups = new PostgresBackups(database, () => this.forget())
  }

  /** See `PostgresDatabase.open` for what it throws. */
  static async open(connection: PostgresOptions, options?: StoreOptions): Promise<PostgresStore> {
    return new PostgresStore(await PostgresDatabase.open(connection), options)
  }

  close(): Promise<void> {
    return this.#database.close()
  }
}
