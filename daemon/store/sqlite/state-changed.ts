import { Conflict } from '../../../base/errors.js'
import type { StagerdDatabase } from './database.js'

export function stateChanged(what: string): Conflict {
  return new Conflict('state-changed', `Not possible in the current state: ${what}.`)
}

/** Runs an UPDATE or INSERT that names the state it expects. Throws `stateChanged(otherwise)` unless it changes one row. */
export function changeOne(database: StagerdDatabase, sql: string, values: readonly unknown[], otherwise: string): void {
  if (database.statement(sql).run(...values).changes !== 1) throw stateChanged(otherwise)
}
