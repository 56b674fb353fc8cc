import { createHash } from 'node:crypto'
import { tablesOf } from './backup-file.js'
import { StagerdDatabase } from './database.js'

export interface TableDigest {
  readonly rows: number
  /** Of all rows, whatever the order they were written in. */
  readonly sha256: string
  /** The last number that was given to a row; 0 if the table numbers none. */
  readonly lastNumber: number
}

/**
 * What counts the changes of a database, for nodes that share it. A database that takes rows over counts on, so that its nodes see
 * that something has changed.
 */
const COUNTERS: readonly string[] = ['package_changes', 'packages.revision']

/** Each table of a copy of a database (`BackupRepository.copyTo`), by name, apart from counters of changes. */
export function digestTables(file: string): ReadonlyMap<string, TableDigest> {
  const database = StagerdDatabase.open(file)
  try {
    const digests = new Map<string, TableDigest>()
    for (const { name, columns } of tablesOf(database)) {
      if (COUNTERS.includes(name)) continue
      const compared = columns.filter((column) => !COUNTERS.includes(`${name}.${column}`)).toSorted()
      digests.set(name, digestTable(database, name, compared))
    }
    return digests
  } finally {
    database.close()
  }
}

function digestTable(database: StagerdDatabase, name: string, columns: readonly string[]): TableDigest {
  const key = database
    .statement<{ name: string }>('SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk')
    .all(name)
    .map((column) => column.name)
  const order = key.length > 0 ? key : columns
  const select = database.statement<Readonly<Record<string, unknown>>>(
    `SELECT ${list(columns)} FROM "${name}" ORDER BY ${list(order)}`,
  )
  const hash = createHash('sha256')
  let rows = 0
  for (const row of select.iterate()) {
    hash.update(`${JSON.stringify(columns.map((column) => [column, encoded(row[column])]))}\n`)
    rows += 1
  }
  const last = database.statement<{ seq: number }>('SELECT seq FROM sqlite_sequence WHERE name = ?').get(name)
  return { rows, sha256: hash.digest('hex'), lastNumber: last?.seq ?? 0 }
}

/** No text is equal to bytes. */
function encoded(value: unknown): unknown {
  return value instanceof Uint8Array ? { bytes: Buffer.from(value).toString('hex') } : value
}

function list(columns: readonly string[]): string {
  return columns.map((column) => `"${column}"`).join(', ')
}
