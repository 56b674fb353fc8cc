import { SqlStore, type StoreOptions } from '../sql/store.js'
import { PostgresDatabase, type PostgresOptions } from './database.js'
import { POSTGRES } from './dialect.js'

/** The repositories that nodes share. The caller closes it. */
export class PostgresStore extends SqlStore {
  readonly #database: PostgresDatabase

  constructor(database: PostgresDatabase, options: StoreOptions = {}) {
    super(database, POSTGRES, options)
    this.#database = database
  }

  /** See `PostgresDatabase.open` for what it throws. */
  static async open(connection: PostgresOptions, options?: StoreOptions): Promise<PostgresStore> {
    return new PostgresStore(await PostgresDatabase.open(connection), options)
  }

  close(): Promise<void> {
    return this.#database.close()
  }
}
