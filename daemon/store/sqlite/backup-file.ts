import { BadInput, errnoOf, Fault } from '../../../base/errors.js'
import type { CopyExtent } from '../backup-repository.js'
import { AWAITED } from '../sql/awaited-sources.js'
import { SqlReferences } from '../sql/reference-queries.js'
import { STAGING } from '../sql/states.js'
import { storageError } from '../storage-errors.js'
import { StagerdDatabase } from './database.js'
import { MIGRATIONS } from './migrations.js'
import { SqliteTransactions } from './transactions.js'

/** Of the database in a backup, which is one of SQLite, whatever the node has. */
export const BACKUP_SCHEMA = MIGRATIONS.at(-1)?.version ?? 0

/**
 * Tables about nodes and their files, and about the database. Their rows are in no backup, and a restore leaves them as they are:
 * terms that are open go on, and their numbers are not given again.
 */
export const OF_NODES: readonly string[] = ['verifications', 'duties', 'terms', 'nodes', 'identity']

/**
 * Tables whose rows are in no backup. It may be stored where nobody who may use the secrets decides about it, and the outputs of
 * stagers can be made again.
 */
const LEFT_OUT: readonly string[] = [
  ...OF_NODES,
  ...['staging_secrets', 'stager_secrets', 'cloud_foundry_tasks', 'package_outputs'],
]

/** Tables whose rows are a term's. In a copy, where there are no terms, they are nobody's. */
const OWNED: readonly string[] = ['stagings', 'cloud_foundry_tasks']

/** Tables without rows in a copy. */
export function leftOutOf(extent: CopyExtent): readonly string[] {
  return extent === 'backup' ? LEFT_OUT : OF_NODES
}

/**
 * Makes a whole copy of the database, in `file`, one of that extent.
 *
 * @returns digests of the blobs that it refers to
 */
export async function reduceCopy(file: string, extent: CopyExtent): Promise<readonly string[]> {
  // Beside a log, the file would still have what is deleted.
  const database = StagerdDatabase.open(file, { journal: 'delete' })
  try {
    await database.write(() => {
      // What is deleted is overwritten.
      database.statement('PRAGMA secure_delete = ON').all()
      for (const table of leftOutOf(extent)) database.statement(`DELETE FROM ${table}`).run()
      for (const table of OWNED) database.statement(`UPDATE ${table} SET term = NULL`).run()
      if (extent === 'backup') cancelAwaited(database)
    })
    const references = new SqlReferences(new SqliteTransactions(database))
    const resources = await references.resources()
    const history = extent === 'backup' ? await references.results() : await references.history()
    return [...new Set([...resources.map(({ sha256 }) => sha256), ...history])]
  } finally {
    database.close()
  }
}

/** In a copy, whose node has no task that could bring the source. */
function cancelAwaited(database: StagerdDatabase): void {
  const awaited = `FROM stagings AS one WHERE one.package = packages.uuid AND one.${AWAITED}`
  database
    .statement(
      `UPDATE packages SET state = (SELECT package_state_before ${awaited}) WHERE EXISTS (SELECT 1 ${awaited})`,
    )
    .run()
  database
    .statement(`UPDATE stagings SET state = ${STAGING.cancelled}, ended_at = ? WHERE ${AWAITED}`)
    .run(new Date().toISOString())
}

/**
 * Migrates the database of a backup in its place.
 *
 * Throws `BadInput` (`bad-backup`, `backup-too-new`), `Unavailable` (`disk-full`, `disk-error`).
 */
export function openAndMigrate(file: string): void {
  try {
    StagerdDatabase.open(file).close()
  } catch (cause) {
    // A disk that fails says nothing about the backup.
    const error = storageError(cause, 'restore the backup')
    if (error instanceof BadInput && error.code === 'database-too-new') throw backupTooNew(error)
    if (error instanceof Fault || errnoOf(error)?.startsWith('SQLITE_'))
      throw new BadInput('bad-backup', 'The database in the backup cannot be opened: restore another backup.', {
        cause: error,
      })
    throw error
  }
}

/** See `BackupRepository.endedIn`. */
export function endedIn(file: string): ReadonlySet<string> {
  openAndMigrate(file)
  const database = StagerdDatabase.open(file, { journal: 'delete' })
  try {
    const ended = database.statement<{ uuid: string }>('SELECT uuid FROM stagings WHERE ended_at IS NOT NULL').all()
    return new Set(ended.map(({ uuid }) => uuid))
  } finally {
    database.close()
  }
}

function backupTooNew(cause: Error): BadInput {
  return new BadInput(
    'backup-too-new',
    'The backup is of a newer stagerd, whose database this one does not know: restore it with that version or a later one.',
    { cause },
  )
}

/** A table of the schema, and what is copied of its rows: generated columns are computed again. */
export interface CopiedTable {
  readonly name: string
  /** In the order of this database; another one may have got them in another order. */
  readonly columns: readonly string[]
}

/**
 * The tables that a restore replaces: those that are referred to come first. To be used inside a transaction.
 */
export function tablesOf(database: StagerdDatabase): readonly CopiedTable[] {
  const names = database
    .statement<{ name: string }>(
      `SELECT name FROM main.sqlite_schema
       WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'schema_migrations' ORDER BY rowid`,
    )
    .all()
    .map(({ name }) => name)
    .filter((name) => !OF_NODES.includes(name))
  const referredBy = (name: string) =>
    database
      .statement<{ table: string }>('SELECT "table" FROM pragma_foreign_key_list(?)')
      .all(name)
      .map(({ table }) => table)
  const ordered = new Set<string>()
  const place = (name: string): void => {
    if (ordered.has(name)) return
    for (const table of referredBy(name)) if (table !== name) place(table)
    ordered.add(name)
  }
  names.forEach(place)
  const columns = database.statement<{ name: string }>('SELECT name FROM pragma_table_info(?) ORDER BY cid')
  return [...ordered].map((name) => ({ name, columns: columns.all(name).map((column) => column.name) }))
}
