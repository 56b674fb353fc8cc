import { parseFqn } from '../../../base/fqn.js'
import type { ResourceOwners } from '../resource-owners.js'
import { sql, type Transactions } from './work.js'

export class SqlResourceOwners implements ResourceOwners {
  readonly #transactions: Transactions

  constructor(transactions: Transactions) {
    this.#transactions = transactions
  }

  namespacesOf(sha256: string): Promise<readonly string[]> {
    return this.#transactions.read(function* () {
      const ofPackages = (yield* sql.all<{ namespace: string }>(
        `SELECT namespace FROM packages WHERE json_extract(resource, '$.sha256') = ?
           UNION SELECT namespace FROM package_result_data JOIN packages ON import_order = package WHERE sha256 = ?`,
        sha256,
        sha256,
      )).map(({ namespace }) => namespace)
      // A staging outlives its package, and has its full name only.
      const ofStagings = (yield* sql.all<{ package_fqn: string }>(
        `SELECT DISTINCT package_fqn FROM stagings
           WHERE source IS NOT NULL AND json_extract(source, '$.resource.sha256') = ?`,
        sha256,
      )).map(({ package_fqn }) => parseFqn(package_fqn, 'package', '/').namespace)
      return [...new Set([...ofPackages, ...ofStagings])]
    }, this)
  }
}
