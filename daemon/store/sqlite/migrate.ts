import { Fault } from '../../../base/errors.js'
import type { Connection } from './connection.js'
import type { Migration } from './migrations.js'

/**
 * Bring the database to the last of `migrations`, each in a transaction of its own together with the note of it.
 *
 * Throws `Fault` (`database-too-new`) for one that a newer stagerd has had: it may mean other things by the same words.
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
    throw new Fault(
      'database-too-new',
      `The database is of version ${present}, and this stagerd knows versions up to ${newest}: run a newer stagerd, or give this one another state directory.`,
    )
  const apply = database.transaction(({ version, name, sql }: Migration) => {
    // Asked again inside the transaction: another process may have been faster.
    if (versionOf(database) >= version) return
    database.exec(sql)
    database
      .prepare('INSERT INTO schema_migrations (version, name, applied_at) VALUES (?, ?, ?)')
      .run(version, name, new Date().toISOString())
  })
  for (const migration of migrations) if (migration.version > present) apply.immediate(migration)
}

function versionOf(database: Connection): number {
  const row = database.prepare<[], { version: number | null }>('SELECT max(version) AS version FROM schema_migrations')
  return row.get()?.version ?? 0
}
