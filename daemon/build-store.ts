import { existsSync } from 'node:fs'
import type { CleanupStack } from '../base/cleanup-stack.js'
import { Conflict } from '../base/errors.js'
import type { Settings } from './settings/settings.js'
import type { StateDirectory } from './state-directory.js'
import type { SqlStore, StoreOptions } from './store/sql/store.js'
import { SqliteStore } from './store/sqlite/store.js'

export interface StoreParts {
  readonly settings: Pick<Settings, 'database' | 'packageQuotaBytes' | 'history'>
  readonly state: Pick<StateDirectory, 'database' | 'nodeId'>
  /** Certificates that are trusted beside those of Node.js, in PEM. */
  readonly authorities: string | undefined
}

/**
 * The repositories of the database that the settings choose.
 *
 * Throws what opens a database in SQLite (`StagerdDatabase.open`) or PostgreSQL (`PostgresDatabase.open`), `BadInput`
 * (`bad-settings`), `Conflict` (`database-in-directory`).
 *
 * @param undo gets what closes it
 */
export async function buildStore({ settings, state, authorities }: StoreParts, undo: CleanupStack): Promise<SqlStore> {
  const { database, packageQuotaBytes: packageBytes, history } = settings
  const store =
    database.kind === 'sqlite'
      ? SqliteStore.open(state.database, packageBytes, history)
      : await openPostgres(database, state, { packageBytes, history, node: state.nodeId }, authorities)
  undo.defer('close the database', () => store.close())
  return store
}

async function openPostgres(
  database: Settings['database'],
  state: Pick<StateDirectory, 'database'>,
  options: StoreOptions,
  authorities: string | undefined,
): Promise<SqlStore> {
  // The packages of this node would seem to be gone.
  if (existsSync(state.database))
    throw new Conflict(
      'database-in-directory',
      `database is postgresql, but there is one of SQLite at ${state.database}: use a new state directory and move all with stagerd migrate, or set database to sqlite.`,
    )
  // Who keeps all in SQLite does not load the library.
  const { connectionOf, PostgresStore } = await import('./store/postgres/index.js')
  return await PostgresStore.open(await connectionOf(database, authorities), options)
}
