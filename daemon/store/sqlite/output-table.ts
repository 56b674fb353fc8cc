import type { Package, Resource } from '../../packages/package.js'
import type { StagerdDatabase } from './database.js'

/**
 * The data that stagers have left, other than the last ones of their stagings: a later staging can begin with them. Rows of
 * packages, to be used inside a transaction.
 */
export class OutputTable {
  constructor(private readonly database: StagerdDatabase) {}

  /** As the newest one. */
  keep({ importOrder }: Package, { sha256, length }: Resource): void {
    this.database
      .statement('INSERT OR REPLACE INTO package_outputs (package, sha256, length) VALUES (?, ?, ?)')
      .run(importOrder, sha256, length)
  }

  /** Forgets all but these. */
  retain({ importOrder }: Package, digests: ReadonlySet<string>): void {
    const rows = this.database
      .statement<{ readonly sha256: string }>('SELECT sha256 FROM package_outputs WHERE package = ?')
      .all(importOrder)
    for (const { sha256 } of rows)
      if (!digests.has(sha256))
        this.database.statement('DELETE FROM package_outputs WHERE package = ? AND sha256 = ?').run(importOrder, sha256)
  }

  /** Forgets those that have no room beside newer ones, and the results of the package, beyond its own data, in that many bytes. */
  shrink({ importOrder, resource }: Package, bytes: number): void {
    const { used = 0 } =
      this.database
        .statement<{ readonly used: number }>(
          `SELECT coalesce(sum(length), 0) AS used FROM (
             SELECT DISTINCT sha256, length FROM package_result_data WHERE package = ? AND sha256 IS NOT ?)`,
        )
        .get(importOrder, resource?.sha256 ?? null) ?? {}
    const rows = this.database
      .statement<{ readonly position: number; readonly length: number }>(
        'SELECT position, length FROM package_outputs WHERE package = ? ORDER BY position DESC',
      )
      .all(importOrder)
    let left = bytes - used
    for (const { position, length } of rows)
      if (length <= left) left -= length
      else this.database.statement('DELETE FROM package_outputs WHERE position = ?').run(position)
  }
}
