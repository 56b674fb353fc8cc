import type { ClientBase } from 'pg'
import { BadInput } from '../../../base/errors.js'
import { isAnswer } from './errors.js'
import { FUNCTIONS } from './functions.js'
import {
  DUTIES,
  IDENTITY,
  LANES,
  LOG_WRITERS,
  NODE_ADDRESSES,
  TABLES,
  TERMS_OF_TASKS,
  VERIFICATIONS,
} from './schema.js'
import { STAGING_TABLES, TRIGGERS } from './staging-schema.js'

export interface PostgresMigration {
  /** From 1, in ascending order. */
  readonly version: number
  readonly name: string
  /** `SCHEMA` is the schema that has the tables: functions are also called without a search path, by backups for one. */
  readonly sql: string
}

/** In order. A released migration is never edited; the next one corrects it. */
export const POSTGRES_MIGRATIONS: readonly PostgresMigration[] = [
  {
    version: 1,
    name: 'tables',
    sql: inOrderOfBytes([FUNCTIONS, TABLES, STAGING_TABLES, TRIGGERS].join('')),
  },
  { version: 23, name: 'verifications', sql: inOrderOfBytes(VERIFICATIONS) },
  { version: 24, name: 'identity', sql: inOrderOfBytes(IDENTITY) },
  { version: 25, name: 'duties', sql: inOrderOfBytes(DUTIES) },
  { version: 26, name: 'lanes', sql: LANES },
  { version: 27, name: 'node-addresses', sql: inOrderOfBytes(NODE_ADDRESSES) },
  { version: 28, name: 'terms-of-tasks', sql: TERMS_OF_TASKS },
  { version: 29, name: 'log-writers', sql: LOG_WRITERS },
]

function inOrderOfBytes(tables: string): string {
  return tables.replaceAll(/\bTEXT\b/g, 'TEXT COLLATE "C"')
}

/** Of the advisory lock under which one node at a time migrates: "stagerd" in ASCII. */
const LOCK = '32497584017076836'

/**
 * Applies the migrations that the database lacks, all or none, one node at a time.
 *
 * Throws `BadInput` (`database-too-new`) for a database that a newer stagerd has migrated.
 */
export async function migrate(client: ClientBase, migrations = POSTGRES_MIGRATIONS): Promise<void> {
  await client.query('BEGIN')
  try {
    await client.query(`SELECT pg_advisory_xact_lock(${LOCK})`)
    await client.query(
      'CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)',
    )
    const { rows } = await client.query<{ present: number; schema: string }>(
      `SELECT coalesce(max(version), 0)::integer AS present, quote_ident(current_schema()) AS schema FROM schema_migrations`,
    )
    const { present = 0, schema = '' } = rows[0] ?? {}
    const newest = migrations.at(-1)?.version ?? 0
    if (present > newest)
      throw new BadInput(
        'database-too-new',
        `The database has version ${present}, but this stagerd knows versions up to ${newest} only: run a newer stagerd, or give this one another database.`,
      )
    for (const { version, name, sql } of migrations.filter((one) => one.version > present)) {
      await client.query(sql.replaceAll(/\bSCHEMA\b/g, () => schema))
      await client.query('INSERT INTO schema_migrations (version, name, applied_at) VALUES ($1, $2, $3)', [
        version,
        name,
        new Date().toISOString(),
      ])
    }
    await client.query('COMMIT')
  } catch (error) {
    if (isAnswer(error)) await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}
