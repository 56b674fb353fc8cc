import type { Failure, Staging, StagingSource } from '../../model/staging.js'
import type { Value, Work } from './work.js'
import type { PackageTable } from './package-table.js'
import type { StagedPackages } from './staged-packages.js'
import { changeOne } from './state-changed.js'
import type { StagingTable } from './staging-table.js'
import { STAGING } from './states.js'
import { workingCopyOf } from './working-copy-of.js'

export const AWAITED = `state = ${STAGING.queued} AND awaits_source = 1`

/** Queued stagings that await their source, inside a transaction. */
export class AwaitedSources {
  readonly #stagings: StagingTable
  readonly #packages: PackageTable
  readonly #subjects: StagedPackages

  constructor(stagings: StagingTable, packages: PackageTable, subjects: StagedPackages) {
    this.#stagings = stagings
    this.#packages = packages
    this.#subjects = subjects
  }

  *supply(staging: string, source: StagingSource): Work<Staging> {
    const subject = yield* this.#packages.get({ uuid: (yield* this.#stagings.get(staging)).packageUuid })
    // It is being staged, by this staging.
    const work = JSON.stringify(workingCopyOf({ ...subject, state: 'uploaded' }, source))
    return yield* this.#change(staging, 'work = ?, input = ?, source = ?, awaits_source = 0', [
      work,
      work,
      JSON.stringify(source),
    ])
  }

  *refuse(staging: string, failure: Failure, now: string): Work<Staging> {
    const values = [JSON.stringify(failure), now]
    const refused = yield* this.#change(staging, `state = ${STAGING.failed}, failure = ?, ended_at = ?`, values)
    const before = yield* this.#subjects.stateBefore(refused)
    if (before !== undefined) yield* this.#subjects.change(refused.packageUuid, { state: before })
    return refused
  }

  *#change(staging: string, assignments: string, values: readonly Value[]): Work<Staging> {
    const { uuid } = yield* this.#stagings.get(staging)
    yield* changeOne(
      `UPDATE stagings SET ${assignments} WHERE uuid = ? AND ${AWAITED}`,
      [...values, uuid],
      `staging ${staging} does not wait for its source`,
    )
    return yield* this.#stagings.get(uuid)
  }
}
