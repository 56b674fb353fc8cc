import { rmSync } from 'node:fs'
import type { BackupRepository, CopyExtent, Restored } from '../backup-repository.js'
import { assertReplaceable, countRestored } from '../sql/replaceable.js'
import { sql, type Value, type Work } from '../sql/work.js'
import {
  BACKUP_SCHEMA,
  endedIn,
  leftOutOf,
  openAndMigrate,
  reduceCopy,
  tablesOf,
  type CopiedTable,
} from '../sqlite/backup-file.js'
import { StagerdDatabase } from '../sqlite/database.js'
import type { PostgresDatabase } from './database.js'

/** Of one answer, and of one statement. */
const ROWS_AT_ONCE = 200

type Row = Readonly<Record<string, Value>>

/**
 * Backups of PostgreSQL have the format of those of SQLite: the database in them is one of SQLite. So a backup can be restored
 * to the other database, and those of older versions are migrated by the migrations that there are.
 */
export class PostgresBackups implements BackupRepository {
  readonly schema = BACKUP_SCHEMA
  readonly endedIn = endedIn
  readonly #database: PostgresDatabase
  readonly #replaced: () => void

  /** @param replaced forgets what is remembered of the tables */
  constructor(database: PostgresDatabase, replaced: () => void) {
    this.#database = database
    this.#replaced = replaced
  }

  async copyTo(file: string, extent: CopyExtent = 'backup'): Promise<readonly string[]> {
    await this.#database.read(() => copyInto(file, extent))
    return await reduceCopy(file, extent)
  }

  assertReplaceable(replace: boolean): Promise<void> {
    return this.#database.read(() => assertReplaceable(replace))
  }

  async replaceBy(file: string, replace: boolean): Promise<Restored> {
    openAndMigrate(file)
    const backup = StagerdDatabase.open(file)
    try {
      const restored = await this.#database.write(function* () {
        yield* assertReplaceable(replace)
        yield* replaceTables(backup)
        return yield* countRestored()
      })
      this.#replaced()
      return restored
    } finally {
      backup.close()
    }
  }
}

function* copyInto(file: string, extent: CopyExtent): Work<void> {
  // Of an earlier attempt.
  rmSync(file, { force: true })
  const copy = StagerdDatabase.open(file, { journal: 'delete' })
  try {
    copy.statement('BEGIN').run()
    yield* copyRows(copy, extent)
    copy.statement('COMMIT').run()
  } finally {
    copy.close()
  }
}

function* copyRows(copy: StagerdDatabase, extent: CopyExtent): Work<void> {
  const tables = tablesOf(copy)
  const filled = tables.filter(({ name }) => !leftOutOf(extent).includes(name))
  // Migrations have filled some of them.
  for (const { name } of tables.toReversed()) copy.statement(`DELETE FROM "${name}"`).run()
  for (const { name, columns } of filled) {
    const insert = copy.statement(
      `INSERT INTO "${name}" (${list(columns)}) VALUES (${columns.map(() => '?').join(', ')})`,
    )
    yield* sql.run(`DECLARE "copy_of_${name}" CURSOR FOR SELECT ${list(columns)} FROM "${name}"`)
    for (;;) {
      const rows = yield* sql.all<Row>(`FETCH ${ROWS_AT_ONCE} FROM "copy_of_${name}"`)
      if (rows.length === 0) break
      for (const row of rows) insert.run(...columns.map((column) => row[column]))
    }
    yield* sql.run(`CLOSE "copy_of_${name}"`)
  }
  copy.statement('DELETE FROM sqlite_sequence').run()
  for (const { table, sequence } of yield* sequencesOf(tables)) {
    const last = yield* sql.one<{ number: number }>(
      `SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END AS number FROM ${sequence}`,
    )
    copy.statement('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)').run(table, last?.number ?? 0)
  }
}

function* replaceTables(backup: StagerdDatabase): Work<void> {
  const types = yield* columnTypes()
  // Names of a file are not put into statements unless they are ours.
  const tables = tablesOf(backup).flatMap(({ name, columns }) => {
    const known = columns.filter((column) => types.has(`${name}.${column}`))
    return known.length > 0 ? [{ name, columns: known }] : []
  })
  const before = yield* sql.one<Changes>('SELECT revision, deletions FROM package_changes')
  for (const { name } of tables.toReversed()) yield* sql.run(`DELETE FROM "${name}"`)
  for (const table of tables) yield* insertAll(table, backup, types)
  for (const { table, sequence } of yield* sequencesOf(tables)) {
    const row = backup.statement<{ seq: number }>('SELECT seq FROM sqlite_sequence WHERE name = ?').get(table)
    // Numbers that were in use are not given again: neither those of the backup, nor those from before.
    if (row && row.seq > 0)
      yield* sql.run(`SELECT setval(?::regclass, greatest(last_value, ?)) FROM ${sequence}`, sequence, row.seq)
  }
  yield* renumberPackages(before ?? { revision: 0, deletions: 0 })
}

interface Changes {
  readonly revision: number
  readonly deletions: number
}

/** Other nodes read what has changed since they have looked last, by revision: all packages have. */
function* renumberPackages({ revision, deletions }: Changes): Work<void> {
  yield* sql.run('UPDATE packages SET revision = revision + ?', revision)
  yield* sql.run(
    'UPDATE package_changes SET revision = revision + ?, deletions = deletions + ? + 1',
    revision,
    deletions,
  )
}

function* insertAll(
  { name, columns }: CopiedTable,
  backup: StagerdDatabase,
  types: ReadonlyMap<string, string>,
): Work<void> {
  const fields = columns.map((column) => `"${column}" ${types.get(`${name}.${column}`) ?? 'text'}`).join(', ')
  const insert = `INSERT INTO "${name}" (${list(columns)}) SELECT ${list(columns)} FROM json_to_recordset(?) AS rows (${fields})`
  const select = backup.statement<Row>(`SELECT ${list(columns)} FROM "${name}"`)
  let rows: Row[] = []
  for (const row of select.iterate()) {
    rows.push(row)
    if (rows.length < ROWS_AT_ONCE) continue
    yield* sql.run(insert, jsonOf(rows))
    rows = []
  }
  if (rows.length > 0) yield* sql.run(insert, jsonOf(rows))
}

function jsonOf(rows: readonly Row[]): string {
  const encoded = (value: Value) => (value instanceof Uint8Array ? `\\x${Buffer.from(value).toString('hex')}` : value)
  return JSON.stringify(
    rows.map((row) => Object.fromEntries(Object.entries(row).map(([column, value]) => [column, encoded(value)]))),
  )
}

function* sequencesOf(
  tables: readonly CopiedTable[],
): Work<readonly { readonly table: string; readonly sequence: string }[]> {
  const all = yield* sql.all<{ table: string; sequence: string }>(
    `SELECT table_name AS "table", pg_get_serial_sequence(quote_ident(table_name), column_name) AS sequence
     FROM information_schema.columns WHERE table_schema = current_schema() AND is_identity = 'YES'`,
  )
  return all.filter(({ table }) => tables.some(({ name }) => name === table))
}

function* columnTypes(): Work<ReadonlyMap<string, string>> {
  const rows = yield* sql.all<{ column: string; type: string }>(
    `SELECT table_name || '.' || column_name AS "column", data_type AS type
     FROM information_schema.columns WHERE table_schema = current_schema()`,
  )
  return new Map(rows.map(({ column, type }) => [column, type]))
}

function list(columns: readonly string[]): string {
  return columns.map((column) => `"${column}"`).join(', ')
}
