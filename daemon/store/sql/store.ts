import { randomUUID } from 'node:crypto'
import type { BackupRepository } from '../backup-repository.js'
import type { Wakeups } from '../wakeups.js'
import type { HistoryLimits } from '../result-repository.js'
import { SqlBootstraps } from './bootstraps.js'
import type { Dialect } from './dialect.js'
import { SqlExchange } from './exchange.js'
import type { Term } from '../../model/node.js'
import type { Duties, DutyTerm } from '../duties.js'
import type { NodeLedger } from '../node-ledger.js'
import { SqlDuties } from './duties.js'
import { SqlLedger } from './ledger.js'
import { LedgerParts } from './ledger-parts.js'
import { NamespaceQuota } from './namespace-quota.js'
import { SqlNodeLedger } from './node-ledger.js'
import { SqlNodes } from './nodes.js'
import { PackageTable } from './package-table.js'
import { SqlPackages } from './packages.js'
import { SqlPipelines } from './pipelines.js'
import { SqlPolicies } from './policies.js'
import { SqlReferences } from './reference-queries.js'
import { SqlResourceOwners } from './resource-owners.js'
import { ResultTable } from './result-table.js'
import { SqlResults } from './results.js'
import { SqlSecrets } from './secrets.js'
import { SqlStagers } from './stagers.js'
import { SqlTasks } from './tasks.js'
import { SqlTokens } from './tokens.js'
import { SqlVerifications } from './verifications.js'
import { SqlWebhooks } from './webhooks.js'
import { sql, type Transactions } from './work.js'

const DEFAULT_HISTORY: HistoryLimits = { results: 5, bytes: 2 * 1024 ** 3 }

export interface StoreOptions {
  /** Limit of a package that no policy mentions. */
  readonly packageBytes?: number | undefined
  readonly history?: HistoryLimits | undefined
  /** For tests: in the place of the database's clock. */
  readonly now?: Dialect['now'] | undefined
  /** Whose files the verifications are about, in a database of several nodes. Default: the only node. */
  readonly node?: string | undefined
}

/** All repositories of one database. The caller closes it. */
export abstract class SqlStore {
  readonly packages: SqlPackages
  readonly stagers: SqlStagers
  readonly pipelines: SqlPipelines
  readonly policies: SqlPolicies
  readonly ledger: SqlLedger
  readonly nodes: SqlNodes
  readonly #ledgerParts: LedgerParts
  readonly bootstraps: SqlBootstraps
  readonly exchange: SqlExchange
  readonly references: SqlReferences
  readonly results: SqlResults
  readonly tokens: SqlTokens
  readonly resourceOwners: SqlResourceOwners
  readonly secrets: SqlSecrets
  readonly tasks: SqlTasks
  readonly webhooks: SqlWebhooks
  readonly verifications: SqlVerifications
  abstract readonly backups: BackupRepository
  abstract readonly wakeups: Wakeups
  /** What answers, such as "PostgreSQL 15.18 on db.example.org"; undefined for a file. */
  abstract readonly server: string | undefined

  readonly #transactions: Transactions

  protected constructor(
    transactions: Transactions,
    dialect: Dialect,
    { packageBytes, history = DEFAULT_HISTORY, node = '', now }: StoreOptions,
  ) {
    this.#transactions = transactions
    this.policies = new SqlPolicies(transactions, dialect)
    const quota = new NamespaceQuota(this.policies, packageBytes)
    const table = new PackageTable(dialect, quota)
    this.packages = new SqlPackages(transactions, table, quota)
    this.stagers = new SqlStagers(transactions)
    this.pipelines = new SqlPipelines(transactions, dialect)
    const results = new ResultTable(quota, history)
    this.results = new SqlResults(transactions, table, results)
    this.#ledgerParts = new LedgerParts(transactions, dialect, table, results, this.policies)
    this.ledger = new SqlLedger(this.#ledgerParts)
    this.nodes = new SqlNodes(transactions, now ? { now } : dialect)
    this.bootstraps = new SqlBootstraps(transactions)
    this.exchange = new SqlExchange(transactions, dialect, table)
    this.references = new SqlReferences(transactions)
    this.tokens = new SqlTokens(transactions)
    this.resourceOwners = new SqlResourceOwners(transactions)
    this.secrets = new SqlSecrets(transactions)
    this.tasks = new SqlTasks(transactions, now ? { now } : dialect)
    this.webhooks = new SqlWebhooks(transactions, dialect)
    this.verifications = new SqlVerifications(transactions, node)
  }

  /** The ledger in the hands of a node. */
  nodeLedger(term: Term): NodeLedger {
    return new SqlNodeLedger(this.#ledgerParts, term)
  }

  /** The duties of a node, while it has a term. To be called once in a process. */
  duties(term: () => DutyTerm | undefined): Duties {
    return new SqlDuties(this.#transactions, term)
  }

  /** Tells this database from all others. It is the same for all nodes that share it, and another one for what a backup is unpacked to. */
  id(): Promise<string> {
    return this.#transactions.write(function* () {
      const found = yield* sql.one<{ id: string }>('SELECT id FROM identity')
      const id = found?.id ?? randomUUID()
      if (!found) yield* sql.run('INSERT INTO identity (id) VALUES (?)', id)
      return id
    })
  }

  /** Resolves when the database answers. Rejects with `Unavailable` otherwise. */
  async ping(): Promise<void> {
    await this.#transactions.read(() => sql.one('SELECT 1 AS one'))
  }

  /** What is set up so that something acknowledged could be lost, and what would be right: a clause each. */
  abstract risks(): Promise<readonly string[]>

  /** Waits for the transactions that are under way. Idempotent. */
  abstract close(): void | Promise<void>
}
