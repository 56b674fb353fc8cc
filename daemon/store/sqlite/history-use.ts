import type { StagerdDatabase } from './database.js'
import { whereNamespace } from './references.js'

/** The data that the histories of the packages in and below a realm hold, for quotas. Inside a transaction. */
export class HistoryUse {
  readonly #database: StagerdDatabase

  constructor(database: StagerdDatabase) {
    this.#database = database
  }

  /** In bytes, beyond the data of the packages themselves. Of each package, equal data counts once. */
  of(realm: string): number {
    const { where, values } = whereNamespace(realm)
    return (
      this.#database
        .statement<{ total: number }>(
          `SELECT coalesce(sum(length), 0) AS total FROM (
             SELECT DISTINCT data.package, data.sha256, data.length
             FROM package_result_data AS data JOIN packages ON packages.import_order = data.package
             WHERE ${where} AND data.sha256 IS NOT json_extract(packages.resource, '$.sha256'))`,
        )
        .get(...values)?.total ?? 0
    )
  }

  /** Returns false if the realm has none. */
  dropOldest(realm: string): boolean {
    const { where, values } = whereNamespace(realm)
    const { changes } = this.#database
      .statement(
        `DELETE FROM package_results WHERE (package, number) = (
           SELECT results.package, results.number
           FROM package_results AS results JOIN packages ON packages.import_order = results.package
           WHERE ${where} ORDER BY results.created_at, results.package, results.number LIMIT 1)`,
      )
      .run(...values)
    return changes > 0
  }
}
