import type { HistoryLimits } from '../result-repository.js'
import { StagerdDatabase } from './database.js'
import { SqliteBackups } from './backups.js'
import { SqliteBootstraps } from './bootstraps.js'
import { SqliteExchange } from './exchange.js'
import { SqliteLedger } from './ledger.js'
import { NamespaceQuota } from './namespace-quota.js'
import { PackageTable } from './package-table.js'
import { SqlitePackages } from './packages.js'
import { SqlitePipelines } from './pipelines.js'
import { SqlitePolicies } from './policies.js'
import { SqliteReferences } from './reference-queries.js'
import { ResultTable } from './result-table.js'
import { SqliteResults } from './results.js'
import { SqliteStagers } from './stagers.js'
import { SqliteResourceOwners } from './resource-owners.js'
import { SqliteSecrets } from './secrets.js'
import { SqliteTasks } from './tasks.js'
import { SqliteTokens } from './tokens.js'
import { SqliteVerifications } from './verifications.js'
import { SqliteWebhooks } from './webhooks.js'

const DEFAULT_HISTORY: HistoryLimits = { results: 5, bytes: 2 * 1024 ** 3 }

/** All repositories of one database. The caller closes it. */
export class SqliteStore {
  readonly packages: SqlitePackages
  readonly stagers: SqliteStagers
  readonly pipelines: SqlitePipelines
  readonly policies: SqlitePolicies
  readonly ledger: SqliteLedger
  readonly bootstraps: SqliteBootstraps
  readonly exchange: SqliteExchange
  readonly references: SqliteReferences
  readonly results: SqliteResults
  readonly tokens: SqliteTokens
  readonly webhooks: SqliteWebhooks
  readonly resourceOwners: SqliteResourceOwners
  readonly secrets: SqliteSecrets
  readonly verifications: SqliteVerifications
  readonly tasks: SqliteTasks
  readonly backups: SqliteBackups
  readonly #database: StagerdDatabase

  private constructor(database: StagerdDatabase, packageBytes: number | undefined, history: HistoryLimits) {
    this.#database = database
    this.policies = new SqlitePolicies(database)
    const quota = new NamespaceQuota(database, this.policies, packageBytes)
    const table = new PackageTable(database, quota)
    this.packages = new SqlitePackages(database, table, quota)
    this.stagers = new SqliteStagers(database)
    this.pipelines = new SqlitePipelines(database)
    const results = new ResultTable(database, quota, history)
    this.results = new SqliteResults(database, table, results)
    this.ledger = new SqliteLedger(database, table, results)
    this.bootstraps = new SqliteBootstraps(database)
    this.exchange = new SqliteExchange(database, table)
    this.references = new SqliteReferences(database)
    this.tokens = new SqliteTokens(database)
    this.webhooks = new SqliteWebhooks(database)
    this.resourceOwners = new SqliteResourceOwners(database)
    this.secrets = new SqliteSecrets(database)
    this.verifications = new SqliteVerifications(database)
    this.tasks = new SqliteTasks(database)
    this.backups = new SqliteBackups(database, this.references, () => {
      this.packages.forget()
      this.policies.forget()
    })
  }

  /**
   * See `StagerdDatabase.open` for what it throws.
   *
   * @param packageBytes limit of a package that no policy mentions
   */
  static open(path: string, packageBytes?: number, history = DEFAULT_HISTORY): SqliteStore {
    return new SqliteStore(StagerdDatabase.open(path), packageBytes, history)
  }

  /** Idempotent. */
  close(): void {
    this.#database.close()
  }
}
