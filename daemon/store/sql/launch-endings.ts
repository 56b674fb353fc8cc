import type { Result } from '../../model/result.js'
import type { LaunchState, Staging, WorkingCopy } from '../../model/staging.js'
import { sql, type Work } from './work.js'
import type { StagingTable } from './staging-table.js'
import type { StagedPackages } from './staged-packages.js'
import { changeOne, stateChanged } from './state-changed.js'
import { LAUNCH, OPEN_LAUNCH, STAGING } from './states.js'

/** Ends launches, and stagings with or without one, inside a transaction. */
export class LaunchEndings {
  constructor(
    private readonly stagings: StagingTable,
    private readonly subjects: StagedPackages,
    private readonly now: () => string,
  ) {}

  /**
   * Ends the open launch of the staging's current step as `state`; returns the staging. The launch exists.
   *
   * @param work what its verdict has saved
   */
  *end(launch: string, state: LaunchState, work?: WorkingCopy): Work<Staging> {
    yield* changeOne(
      `UPDATE launches SET state = ?, ended_at = ?, work = ? WHERE uuid = ? AND state IN ${OPEN_LAUNCH}
         AND EXISTS (SELECT 1 FROM stagings WHERE stagings.sequence = launches.staging AND stagings.state = ${STAGING.running} AND stagings.step = launches.step)`,
      [state, this.now(), work ? JSON.stringify(work) : null, launch],
      `launch ${launch} is not the open launch of a running staging`,
    )
    const [staging] = yield* this.stagings.select('WHERE sequence = (SELECT staging FROM launches WHERE uuid = ?)', [
      launch,
    ])
    if (!staging) throw stateChanged(`launch ${launch} has no staging`)
    return staging
  }

  /** Cancels a staging that is `from`. Its package is what it was before. */
  *cancel(staging: Staging, from: 'queued' | 'running'): Work<Staging> {
    const { sequence, uuid, packageUuid } = staging
    const now = this.now()
    yield* sql.run(
      `UPDATE launches SET state = ${LAUNCH.aborted}, ended_at = ? WHERE staging = ? AND state IN ${OPEN_LAUNCH}`,
      now,
      sequence,
    )
    yield* changeOne(
      `UPDATE stagings SET state = ${STAGING.cancelled}, ended_at = ? WHERE sequence = ? AND state = ?`,
      [now, sequence, from],
      `staging ${uuid} is not ${from}`,
    )
    const before = yield* this.subjects.stateBefore(staging)
    if (before !== undefined) yield* this.subjects.restore(packageUuid, before)
    return yield* this.stagings.get(uuid)
  }

  /** A staging that is `from` gets a result of its package without a launch. */
  *answer(staging: Staging, { content, making, number }: Result, from: 'queued' | 'running'): Work<Staging> {
    const { sequence, uuid, pipelineFqn: pipeline, work } = staging
    if (!making) throw stateChanged(`nothing is known of the making of result ${number}`)
    const now = this.now()
    yield* changeOne(
      `UPDATE stagings SET state = ${STAGING.succeeded}, reused = ?, started_at = coalesce(started_at, ?), ended_at = ?
       WHERE sequence = ? AND state = ? AND step = 0
         AND NOT EXISTS (SELECT 1 FROM launches WHERE launches.staging = stagings.sequence)`,
      [making.staging, now, now, sequence, from],
      `staging ${uuid} is not ${from} without a launch`,
    )
    const origin = { kind: 'staging', staging: uuid, pipeline, reused: making.staging } as const
    // The manifest says the same, perhaps at other places of its text.
    yield* this.subjects.become(staging, { ...content, manifest: work.manifest }, origin, making)
    return yield* this.stagings.get(uuid)
  }
}
