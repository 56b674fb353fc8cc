import { sql, type Work } from './work.js'
import { whereNamespace } from './references.js'

/** What the histories of packages hold: results, and the outputs of stagers. */
const DATA = `(SELECT package, sha256, length FROM package_result_data
  UNION SELECT package, sha256, length FROM package_outputs)`

/** The data that the histories of the packages in and below a realm hold, for quotas. Inside a transaction. */
export class HistoryUse {
  /** In bytes, beyond the data of the packages themselves. Of each package, equal data counts once. */
  *of(realm: string): Work<number> {
    const { where, values } = whereNamespace(realm)
    const row = yield* sql.one<{ total: number }>(
      `SELECT coalesce(sum(length), 0) AS total FROM (
             SELECT DISTINCT data.package, data.sha256, data.length
             FROM ${DATA} AS data JOIN packages ON packages.import_order = data.package
             WHERE ${where} AND data.sha256 IS DISTINCT FROM json_extract(packages.resource, '$.sha256')) AS beyond`,
      ...values,
    )
    return row?.total ?? 0
  }

  /** An output, and a result only if there is none. Returns false if the realm has neither. */
  *dropOldest(realm: string): Work<boolean> {
    const { where, values } = whereNamespace(realm)
    const outputs = yield* sql.run(
      `DELETE FROM package_outputs WHERE position = (
           SELECT min(position) FROM package_outputs JOIN packages ON packages.import_order = package WHERE ${where})`,
      ...values,
    )
    if (outputs > 0) return true
    const results = yield* sql.run(
      `DELETE FROM package_results WHERE (package, number) = (
           SELECT results.package, results.number
           FROM package_results AS results JOIN packages ON packages.import_order = results.package
           WHERE ${where} ORDER BY results.created_at, results.package, results.number LIMIT 1)`,
      ...values,
    )
    return results > 0
  }
}
