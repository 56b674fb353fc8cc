import { StagerdDatabase } from './database.js'
import { SqliteExchange } from './exchange.js'
import { SqliteLedger } from './ledger.js'
import { SqlitePackages } from './packages.js'
import { SqlitePipelines } from './pipelines.js'
import { SqlitePolicies } from './policies.js'
import { SqliteReferences } from './reference-queries.js'
import { SqliteStagers } from './stagers.js'

/** All repositories of one database. The caller closes it. */
export class SqliteStore {
  readonly packages: SqlitePackages
  readonly stagers: SqliteStagers
  readonly pipelines: SqlitePipelines
  readonly policies: SqlitePolicies
  readonly ledger: SqliteLedger
  readonly exchange: SqliteExchange
  readonly references: SqliteReferences
  readonly #database: StagerdDatabase

  private constructor(database: StagerdDatabase) {
    this.#database = database
    this.packages = new SqlitePackages(database)
    this.stagers = new SqliteStagers(database)
    this.pipelines = new SqlitePipelines(database)
    this.policies = new SqlitePolicies(database)
    this.ledger = new SqliteLedger(database)
    this.exchange = new SqliteExchange(database)
    this.references = new SqliteReferences(database)
  }

  /** See `StagerdDatabase.open` for what it throws. */
  static open(path: string): SqliteStore {
    return new SqliteStore(StagerdDatabase.open(path))
  }

  /** Idempotent. */
  close(): void {
    this.#database.close()
  }
}
