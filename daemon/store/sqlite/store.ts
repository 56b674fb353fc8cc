import type { HistoryLimits } from '../result-repository.js'
import { SqlStore, type StoreOptions } from '../sql/store.js'
import { SqliteBackups } from './backups.js'
import { StagerdDatabase } from './database.js'
import { SQLITE } from './dialect.js'
import { SqliteTransactions } from './transactions.js'
import { SqliteVerifications } from './verifications.js'
import { SqliteWebhooks } from './webhooks.js'

/** All repositories of one database. The caller closes it. */
export class SqliteStore extends SqlStore {
  readonly webhooks: SqliteWebhooks
  readonly verifications: SqliteVerifications
  readonly backups: SqliteBackups
  readonly #database: StagerdDatabase

  private constructor(database: StagerdDatabase, options: StoreOptions) {
    super(new SqliteTransactions(database), SQLITE, options)
    this.#database = database
    this.webhooks = new SqliteWebhooks(database)
    this.verifications = new SqliteVerifications(database)
    this.backups = new SqliteBackups(database, this.references, () => {
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

  /** Idempotent. */
  close(): void {
    this.#database.close()
  }
}
