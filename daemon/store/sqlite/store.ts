import type { HistoryLimits } from '../result-repository.js'
import { InProcessWakeups } from '../wakeups.js'
import { SqlStore, type StoreOptions } from '../sql/store.js'
import { SqliteBackups } from './backups.js'
import { StagerdDatabase } from './database.js'
import { SQLITE } from './dialect.js'
import { SqliteTransactions } from './transactions.js'

/** The repositories of a single node. */
export class SqliteStore extends SqlStore {
  readonly backups: SqliteBackups
  readonly wakeups = new InProcessWakeups()
  readonly server = undefined
  readonly #database: StagerdDatabase

  private constructor(database: StagerdDatabase, options: StoreOptions) {
    super(new SqliteTransactions(database), SQLITE, options)
    this.#database = database
    this.backups = new SqliteBackups(database, () => {
      this.packages.forget()
      this.policies.forget()
    })
  }

  /**
   * See `StagerdDatabase.open` for what it throws.
   *
   * @param packageBytes limit of a package that no policy mentions
   * @param now see `StoreOptions`
   */
  static open(path: string, packageBytes?: number, history?: HistoryLimits, now?: StoreOptions['now']): SqliteStore {
    return new SqliteStore(StagerdDatabase.open(path), { packageBytes, history, now })
  }

  risks(): Promise<readonly string[]> {
    return Promise.resolve([])
  }

  close(): void {
    this.#database.close()
  }
}
