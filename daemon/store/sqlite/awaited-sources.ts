import type { Failure, Staging, StagingSource } from '../../model/staging.js'
import type { StagerdDatabase } from './database.js'
import type { PackageTable } from './package-table.js'
import type { StagedPackages } from './staged-packages.js'
import { changeOne } from './state-changed.js'
import type { StagingTable } from './staging-table.js'
import { STAGING } from './states.js'
import { workingCopyOf } from './working-copy-of.js'

const AWAITED = `state = ${STAGING.queued} AND awaits_source = 1`

/** Queued stagings that await their source, inside a transaction. */
export class AwaitedSources {
  readonly #database: StagerdDatabase
  readonly #stagings: StagingTable
  readonly #packages: PackageTable
  readonly #subjects: StagedPackages

  constructor(database: StagerdDatabase, stagings: StagingTable, packages: PackageTable, subjects: StagedPackages) {
    this.#database = database
    this.#stagings = stagings
    this.#packages = packages
    this.#subjects = subjects
  }

  supply(staging: string, source: StagingSource): Staging {
    const subject = this.#packages.get({ uuid: this.#stagings.get(staging).packageUuid })
    // It is being staged, by this staging.
    const work = JSON.stringify(workingCopyOf({ ...subject, state: 'uploaded' }, source))
    return this.#change(staging, 'work = ?, input = ?, source = ?, awaits_source = 0', [
      work,
      work,
      JSON.stringify(source),
    ])
  }

  refuse(staging: string, failure: Failure, now: string): Staging {
    const values = [JSON.stringify(failure), now]
    const refused = this.#change(staging, `state = ${STAGING.failed}, failure = ?, ended_at = ?`, values)
    const before = this.#subjects.stateBefore(refused)
    if (before !== undefined) this.#subjects.change(refused.packageUuid, { state: before })
    return refused
  }

  #change(staging: string, assignments: string, values: readonly unknown[]): Staging {
    const { uuid } = this.#stagings.get(staging)
    changeOne(
      this.#database,
      `UPDATE stagings SET ${assignments} WHERE uuid = ? AND ${AWAITED}`,
      [...values, uuid],
      `staging ${staging} does not wait for its source`,
    )
    return this.#stagings.get(uuid)
  }
}

/** In a copy of the database, whose node has no task that could bring the source. */
export function cancelAwaited(database: StagerdDatabase, schema: string, now: string): void {
  const awaited = `FROM ${schema}.stagings AS one WHERE one.package = packages.uuid AND one.${AWAITED}`
  database
    .statement(
      `UPDATE ${schema}.packages SET state = (SELECT package_state_before ${awaited}) WHERE EXISTS (SELECT 1 ${awaited})`,
    )
    .run()
  database
    .statement(`UPDATE ${schema}.stagings SET state = ${STAGING.cancelled}, ended_at = ? WHERE ${AWAITED}`)
    .run(now)
}
