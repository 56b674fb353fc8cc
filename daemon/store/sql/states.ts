import { BOOTSTRAP_STATES } from '../../model/bootstrap.js'
import { PACKAGE_STATES } from '../../packages/package.js'
import { LAUNCH_STATES, OPEN_LAUNCH_STATES, OPEN_STATES, STAGING_STATES } from '../../model/staging.js'

/** States as literals of SQL. They come from the lists of the model, so a state that does not exist does not compile. */
export const STAGING = literals(STAGING_STATES)
export const LAUNCH = literals(LAUNCH_STATES)
export const PACKAGE = literals(PACKAGE_STATES)
export const BOOTSTRAP = literals(BOOTSTRAP_STATES)

/** For `state IN`. */
export const OPEN_STAGING = listOf(OPEN_STATES)
export const OPEN_LAUNCH = listOf(OPEN_LAUNCH_STATES)

function literals<State extends string>(states: readonly State[]): Readonly<Record<State, string>> {
  return Object.fromEntries(states.map((state) => [state, literal(state)])) as Record<State, string>
}

export function listOf(states: readonly string[]): string {
  return `(${states.map(literal).join(', ')})`
}

function literal(state: string): string {
  return `'${state}'`
}
