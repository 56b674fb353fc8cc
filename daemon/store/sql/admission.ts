import { whereFqnWithin } from './references.js'
import { STAGING } from './states.js'
import { sql, type Value, type Work } from './work.js'

/**
 * Which staging a node may take: asked by the admission that takes it (`SqlNodeLedger`), and by who wants to know why one waits
 * (`explainWaiting`), so that both go by the same rules.
 *
 * Queued stagings that need the same labels are a **lane**: docs/decisions/0099-limits-and-lanes.md.
 */

export const INTERRUPTED = `state = ${STAGING.running} AND term IS NULL`
/** In the words of the index `queued_stagings_by_labels`. */
export const ADMISSIBLE = `state = ${STAGING.queued} AND awaits_source = 0`

/** That a node with the labels which are the parameter has all of these. */
export function fits(labels: string): string {
  return `NOT EXISTS (SELECT 1 FROM json_each(${labels}) AS needed
    WHERE needed.value NOT IN (SELECT value FROM json_each(CAST(? AS TEXT))))`
}

/** Those that wait for their turn alone, where these realms are full. */
export function mayBegin(full: readonly string[]): { readonly where: string; readonly values: readonly Value[] } {
  const { where, values } = whereFqnWithin('package_fqn', 'package', full)
  return { where: `${ADMISSIBLE} AND NOT ${where}`, values }
}

/** The oldest of a lane that may begin. */
export interface LaneHead {
  readonly labels: string
  readonly oldest: number
}

/**
 * Of each lane that a node with these labels may run, the oldest that may begin; the oldest of them first. There are as many steps as
 * lanes, whatever is queued.
 *
 * A lane is asked for as a range, in the order of the index: with `=`, each index that has the order of stagings would do for
 * PostgreSQL, and it might walk over all that have ever been.
 */
export function* laneHeads(full: readonly string[], labels: string): Work<readonly LaneHead[]> {
  if (full.includes('/')) return []
  const may = mayBegin(full)
  const lanes = yield* sql.all<{ readonly labels: string; readonly oldest: number | null }>(
    `WITH RECURSIVE lanes (labels) AS (
       SELECT min(labels) FROM stagings WHERE ${ADMISSIBLE}
       UNION ALL
       SELECT (SELECT min(stagings.labels) FROM stagings WHERE ${ADMISSIBLE} AND stagings.labels > lanes.labels)
       FROM lanes WHERE lanes.labels IS NOT NULL)
     SELECT labels, (
       SELECT sequence FROM stagings WHERE ${may.where} AND stagings.labels BETWEEN lanes.labels AND lanes.labels
       ORDER BY stagings.labels, sequence LIMIT 1) AS oldest
     FROM lanes WHERE labels IS NOT NULL AND ${fits('lanes.labels')}`,
    ...may.values,
    labels,
  )
  return lanes
    .flatMap(({ labels: lane, oldest }) => (oldest === null ? [] : [{ labels: lane, oldest }]))
    .toSorted((a, b) => a.oldest - b.oldest)
}

/** What a node with these labels goes on with, before it begins another one: the oldest that was interrupted. */
export const TO_GO_ON = `${INTERRUPTED} AND ${fits('stagings.labels')} ORDER BY sequence`
