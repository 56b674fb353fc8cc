import { Conflict } from '../../../base/errors.js'
import { sql, type Value, type Work } from './work.js'

export function stateChanged(what: string): Conflict {
  return new Conflict('state-changed', `Not possible in the current state: ${what}.`)
}

/** Runs an UPDATE or INSERT that names the state it expects. Throws `stateChanged(otherwise)` unless it changes one row. */
export function* changeOne(text: string, values: readonly Value[], otherwise: string): Work<void> {
  if ((yield* sql.run(text, ...values)) !== 1) throw stateChanged(otherwise)
}
