import type { Package, Resource } from '../../packages/package.js'
import { sql, type Work } from './work.js'

/**
 * The data that stagers have left, other than the last ones of their stagings: a later staging can begin with them. Rows of
 * packages, to be used inside a transaction.
 */
export class OutputTable {
  /** As the newest one. */
  *keep({ importOrder }: Package, { sha256, length }: Resource): Work<void> {
    yield* sql.run('DELETE FROM package_outputs WHERE package = ? AND sha256 = ?', importOrder, sha256)
    yield* sql.run(
      'INSERT INTO package_outputs (package, sha256, length) VALUES (?, ?, ?)',
      importOrder,
      sha256,
      length,
    )
  }

  /** Forgets all but these. */
  *retain({ importOrder }: Package, digests: ReadonlySet<string>): Work<void> {
    const rows = yield* sql.all<{ readonly sha256: string }>(
      'SELECT sha256 FROM package_outputs WHERE package = ?',
      importOrder,
    )
    for (const { sha256 } of rows)
      if (!digests.has(sha256))
        yield* sql.run('DELETE FROM package_outputs WHERE package = ? AND sha256 = ?', importOrder, sha256)
  }

  /** Forgets those that have no room beside newer ones, and the results of the package, beyond its own data, in that many bytes. */
  *shrink({ importOrder, resource }: Package, bytes: number): Work<void> {
    const data = yield* sql.all<{ readonly length: number }>(
      'SELECT DISTINCT sha256, length FROM package_result_data WHERE package = ? AND sha256 IS DISTINCT FROM ?',
      importOrder,
      resource?.sha256 ?? null,
    )
    const rows = yield* sql.all<{ readonly position: number; readonly length: number }>(
      'SELECT position, length FROM package_outputs WHERE package = ? ORDER BY position DESC',
      importOrder,
    )
    let left = data.reduce((rest, { length }) => rest - length, bytes)
    for (const { position, length } of rows)
      if (length <= left) left -= length
      else yield* sql.run('DELETE FROM package_outputs WHERE position = ?', position)
  }
}
