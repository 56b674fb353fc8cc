import { NotFound } from '../../../base/errors.js'
import type { StagingState } from '../../model/staging.js'
import { leaseLost, notOwned } from '../lease-lost.js'
import { stagingNotFound } from '../not-found.js'
import { sql, type Work } from './work.js'

interface OwnerRow {
  readonly staging: string
  readonly state: StagingState
  readonly owner: number | null
  /** The number of the term that asks, if it is open. */
  readonly open: number | null
}

const OWNER = `stagings.uuid AS staging, stagings.state, stagings.term AS owner,
  (SELECT number FROM terms WHERE number = ? AND ended_at IS NULL) AS open`

/**
 * Inside a transaction that writes: the term is open, and owns the staging of the launch. The transaction that ends a term
 * writes the row of the term and those of its stagings, so that it and this one do not both take effect as if the other had not been.
 *
 * Throws `Conflict` (`lease-lost`), `NotFound` (`launch-not-found`).
 */
export function* assertOwnsLaunch(term: number, launch: string): Work<void> {
  const row = yield* sql.one<OwnerRow>(
    `SELECT ${OWNER} FROM launches JOIN stagings ON stagings.sequence = launches.staging WHERE launches.uuid = ?`,
    term,
    launch,
  )
  if (!row) throw new NotFound('launch-not-found', `There is no launch ${launch}.`)
  assertOwner(term, row)
}

/** The same for a staging. Throws `Conflict` (`lease-lost`), `NotFound` (`staging-not-found`). */
export function* assertOwnsStaging(term: number, staging: string): Work<void> {
  const row = yield* sql.one<OwnerRow>(`SELECT ${OWNER} FROM stagings WHERE uuid = ?`, term, staging.toLowerCase())
  if (!row) throw stagingNotFound(staging)
  assertOwner(term, row)
}

/** A staging that is not running is nobody's: the transition says in which state it is. */
function assertOwner(term: number, { staging, state, owner, open }: OwnerRow): void {
  if (open === null) throw leaseLost(term)
  if (state === 'running' && owner !== term) throw notOwned(staging)
}
