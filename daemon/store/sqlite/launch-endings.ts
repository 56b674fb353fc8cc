import type { LaunchState, Staging, WorkingCopy } from '../../model/staging.js'
import type { StagerdDatabase } from './database.js'
import type { StagingTable } from './staging-table.js'
import { changeOne, stateChanged } from './state-changed.js'
import { OPEN_LAUNCH, STAGING } from './states.js'

/** Ends launches, inside a transaction. */
export class LaunchEndings {
  constructor(
    private readonly database: StagerdDatabase,
    private readonly stagings: StagingTable,
    private readonly now: () => string,
  ) {}

  /**
   * Ends the open launch of the staging's current step as `state`; returns the staging.
   *
   * @param work what its verdict has saved
   */
  end(launch: string, state: LaunchState, work?: WorkingCopy): Staging {
    this.stagings.launch(launch)
    changeOne(
      this.database,
      `UPDATE launches SET state = ?, ended_at = ?, work = ? WHERE uuid = ? AND state IN ${OPEN_LAUNCH}
         AND EXISTS (SELECT 1 FROM stagings WHERE stagings.sequence = launches.staging AND stagings.state = ${STAGING.running} AND stagings.step = launches.step)`,
      [state, this.now(), work ? JSON.stringify(work) : null, launch],
      `launch ${launch} is not the open launch of a running staging`,
    )
    const [staging] = this.stagings.select('WHERE sequence = (SELECT staging FROM launches WHERE uuid = ?)', [launch])
    if (!staging) throw stateChanged(`launch ${launch} has no staging`)
    return staging
  }
}
