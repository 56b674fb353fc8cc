import { Concurrency } from './concurrency.js'
import type { Dialect } from './dialect.js'
import { LaunchEndings } from './launch-endings.js'
import type { PackageTable } from './package-table.js'
import type { SqlPolicies } from './policies.js'
import type { ResultTable } from './result-table.js'
import { StagedPackages } from './staged-packages.js'
import { StagingTable } from './staging-table.js'
import type { Transactions } from './work.js'

/** What the ledger and those of the nodes share. */
export class LedgerParts {
  readonly stagings = new StagingTable()
  readonly subjects: StagedPackages
  readonly endings: LaunchEndings
  readonly concurrency: Concurrency

  constructor(
    readonly transactions: Transactions,
    readonly dialect: Dialect,
    readonly packages: PackageTable,
    readonly results: ResultTable,
    policies: Pick<SqlPolicies, 'inForce'>,
  ) {
    this.subjects = new StagedPackages(packages, results)
    this.endings = new LaunchEndings(this.stagings, this.subjects, () => this.now())
    this.concurrency = new Concurrency(policies)
  }

  /** For what people read: by the clock of this node. */
  now(): string {
    return new Date().toISOString()
  }
}
