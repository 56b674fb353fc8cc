import type { StagerdDatabase } from './database.js'
import { whereNamespace } from './references.js'

/** What the histories of packages hold: results, and the outputs of stagers. */
const DATA = `(SELECT package, sha256, length FROM package_result_data
  UNION SELECT package, sha256, length FROM package_outputs)`

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
             FROM ${DATA} AS data JOIN packages ON packages.import_order = data.package
             WHERE ${where} AND data.sha256 IS NOT json_extract(packages.resource, '$.sha256'))`,
        )
        .get(...values)?.total ?? 0
    )
  }

  /** An output, and a result only if there is none. Returns false if the realm has neither. */
  dropOldest(realm: string): boolean {
    const { where, values } = whereNamespace(realm)
    const outputs = this.#database
      .statement(
        `DELETE FROM package_outputs WHERE position = (
           SELECT min(position) FROM package_outputs JOIN packages ON packages.import_order = package WHERE ${where})`,
      )
      .run(...values)
    if (outputs.changes > 0) return true
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
