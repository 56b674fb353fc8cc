import type { TakenOver } from '../../model/result.js'
import type { Staging } from '../../model/staging.js'
import type { Work } from './work.js'
import type { StagedPackages } from './staged-packages.js'
import { changeOne, stateChanged } from './state-changed.js'
import type { StagingTable } from './staging-table.js'
import { STAGING } from './states.js'

/** See `NodeLedger.takeOver`. Inside a transaction. */
export function* takeOver(
  stagings: StagingTable,
  subjects: StagedPackages,
  { staging, from }: { readonly staging: string; readonly from: TakenOver },
): Work<Staging> {
  const found = yield* stagings.get(staging)
  const last = from.launches.at(-1)
  if (last?.verdict !== 'done') throw stateChanged('nothing ends where the staging would go on')
  const { step, work } = last
  yield* changeOne(
    `UPDATE stagings SET step = ?, work = ?, taken_over = ?
     WHERE sequence = ? AND state = ${STAGING.running} AND step = 0 AND ? < json_array_length(stagers)
       AND NOT EXISTS (SELECT 1 FROM launches WHERE launches.staging = stagings.sequence)`,
    [step + 1, JSON.stringify(work), JSON.stringify(from), found.sequence, step + 1],
    `staging ${found.uuid} is not running without a launch, or has no stager after these`,
  )
  yield* subjects.keepOutput({ ...found, step }, work)
  return yield* stagings.get(staging)
}
