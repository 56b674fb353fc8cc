import { BadInput } from '../../../base/errors.js'
import type { Connection } from './connection.js'
import type { Migration } from './migrations.js'

/**
 * Applies the migrations that the database lacks. Each is recorded in the transaction that applies it.
 *
 * Throws `BadInput` (`database-too-new`) for a database that a newer stagerd has migrated.
 */
export function migrate(database: Connection, migrations: readonly Migration[]): void {
  database.exec(`
    CREATE TABLE IF NOT EXISTS schema_migrations (
      version    INTEGER PRIMARY KEY,
      name       TEXT NOT NULL,
      applied_at TEXT NOT NULL
    ) STRICT`)
  const newest = migrations.at(-1)?.version ?? 0
  const present = versionOf(database)
  if (present > newest)
    throw new BadInput(
      'database-too-new',
      `The database has version ${present}, but this stagerd knows versions up to ${newest} only: run a newer stagerd, or give this one another state directory.`,
    )
  const apply = database.transaction(({ version, name, sql }: Migration) => {
    // Checked again inside the transaction: another process may have applied it meanwhile.
    if (versionOf(database) >= version) return
    database.exec(sql)
    database
      .prepare('INSERT INTO schema_migrations (version, name, applied_at) VALUES (?, ?, ?)')
      .run(version, name, new Date().toISOString())
  })
  for (const migration of migrations) if (migration.version > present) apply.immediate(migration)
  // In the header of the file, where a package that is about to be installed reads it without SQLite.
  if (database.pragma('user_version', { simple: true }) !== newest) database.pragma(`user_version = ${newest}`)
}

function versionOf(database: Connection): number {
  const row = database.prepare<[], { version: number | null }>('SELECT max(version) AS version FROM schema_migrations')
  return row.get()?.version ?? 0
}
