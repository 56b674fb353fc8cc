import { Conflict } from '../../../base/errors.js'
import type { Restored } from '../backup-repository.js'
import { BOOTSTRAP, OPEN_STAGING, STAGING } from './states.js'
import { sql, type Work } from './work.js'

/** What a user has made, by the word for it. */
const CONTENT = {
  package: 'packages',
  stager: 'stagers',
  pipeline: 'pipelines',
  policy: 'policies',
  staging: 'stagings',
  token: 'tokens',
  webhook: 'webhooks',
} as const

/** Inside a transaction: as `BackupRepository.assertReplaceable`. */
export function* assertReplaceable(replace: boolean): Work<void> {
  if (!replace) yield* assertEmpty()
  const busy =
    (yield* count(`stagings WHERE state = ${STAGING.running}`)) +
    (yield* count(`bootstraps WHERE state = ${BOOTSTRAP.running}`))
  if (busy > 0)
    throw new Conflict(
      'node-busy',
      'A staging or a bootstrap is under way on this node: restore when it has ended, or cancel it.',
    )
}

/** Inside the transaction that has restored a backup. */
export function* countRestored(): Work<Restored> {
  return {
    packages: yield* count('packages'),
    stagers: yield* count('stagers'),
    pipelines: yield* count('pipelines'),
    stagings: yield* count('stagings'),
    unfinished: yield* count(`stagings WHERE state IN ${OPEN_STAGING}`),
  }
}

function* assertEmpty(): Work<void> {
  const found: string[] = []
  for (const [word, table] of Object.entries(CONTENT)) {
    const rows = yield* count(table)
    if (rows > 0) found.push(`${rows} ${rows === 1 ? word : table}`)
  }
  if (found.length > 0)
    throw new Conflict(
      'store-not-empty',
      `A backup takes the place of all that a node has, and this one has ${found.join(', ')}: restore to a node with an empty state directory, or give this up with --replace.`,
    )
}

function* count(from: string): Work<number> {
  return (yield* sql.one<{ n: number }>(`SELECT count(*) AS n FROM ${from}`))?.n ?? 0
}
