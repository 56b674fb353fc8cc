import { parseFqn } from '../../../base/fqn.js'
import type { ResourceOwners } from '../resource-owners.js'
import type { StagerdDatabase } from './database.js'

export class SqliteResourceOwners implements ResourceOwners {
  readonly #database: StagerdDatabase

  constructor(database: StagerdDatabase) {
    this.#database = database
  }

  namespacesOf(sha256: string): Promise<readonly string[]> {
    return this.#database.read(() => {
      const ofPackages = this.#database
        .statement<{ namespace: string }>(
          `SELECT namespace FROM packages WHERE json_extract(resource, '$.sha256') = ?
           UNION SELECT namespace FROM package_result_data JOIN packages ON import_order = package WHERE sha256 = ?`,
        )
        .all(sha256, sha256)
        .map(({ namespace }) => namespace)
      // A staging outlives its package, and has its full name only.
      const ofStagings = this.#database
        .statement<{ package_fqn: string }>(
          `SELECT DISTINCT package_fqn FROM stagings
           WHERE source IS NOT NULL AND json_extract(source, '$.resource.sha256') = ?`,
        )
        .all(sha256)
        .map(({ package_fqn }) => parseFqn(package_fqn, 'package', '/').namespace)
      return [...new Set([...ofPackages, ...ofStagings])]
    })
  }
}
