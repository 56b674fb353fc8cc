import { NotFound } from '../../../base/errors.js'
import type {
  Failure,
  Launch,
  LaunchState,
  StagerSnapshot,
  Staging,
  StagingSource,
  StagingState,
  WorkingCopy,
} from '../../model/staging.js'
import type { PackageState } from '../../packages/package.js'
import type { StagingFilter } from '../staging-ledger.js'
import type { StagerdDatabase } from './database.js'
import { decodeResource } from './package-table.js'

interface StagingRow {
  readonly sequence: number
  readonly uuid: string
  readonly state: StagingState
  readonly package: string
  readonly package_fqn: string
  readonly package_state_before: PackageState
  readonly pipeline_fqn: string
  readonly stagers: string
  readonly step: number
  readonly relaunches: number
  readonly interruptions: number
  readonly cancel_requested: 0 | 1
  readonly work: string
  readonly source: string | null
  readonly keep_failed_ms: number | null
  readonly failure: string | null
  readonly submitted_at: string
  readonly started_at: string | null
  readonly ended_at: string | null
}

interface LaunchRow {
  readonly uuid: string
  readonly stager_fqn: string
  readonly step: number
  readonly state: LaunchState
  readonly exit_code: number | null
  readonly started_at: string
  readonly ended_at: string | null
}

/** Reads stagings and launches, inside a transaction. */
export class StagingTable {
  readonly #database: StagerdDatabase

  constructor(database: StagerdDatabase) {
    this.#database = database
  }

  /** @param tail what follows `FROM stagings` */
  select(tail: string, values: readonly unknown[]): Staging[] {
    return this.#database
      .statement<StagingRow>(`SELECT * FROM stagings ${tail}`)
      .all(...values)
      .map((row) => decode(row, this.#launches(row.sequence)))
  }

  /** Newest first. */
  list({ state, packageUuid, pipelineFqn, since, limit = -1 }: StagingFilter): Staging[] {
    const conditions = [
      ['state = ?', state],
      ['package = ?', packageUuid],
      ['pipeline_fqn = ?', pipelineFqn],
      // All times in the database have the same form, so their order is that of their text.
      ['submitted_at >= ?', since?.toISOString()],
    ].filter(([, value]) => value !== undefined)
    const where = ['TRUE', ...conditions.map(([condition]) => condition)].join(' AND ')
    const values = conditions.map(([, value]) => value)
    return this.select(`WHERE ${where} ORDER BY sequence DESC LIMIT ?`, [...values, limit])
  }

  /** Throws `NotFound` (`staging-not-found`). */
  get(uuid: string): Staging {
    const [found] = this.select('WHERE uuid = ?', [uuid.toLowerCase()])
    if (!found) throw new NotFound('staging-not-found', `There is no staging ${uuid}.`)
    return found
  }

  /** The state of the package when the staging was submitted. */
  packageStateBefore(staging: Staging): PackageState | undefined {
    return this.#database
      .statement<Pick<StagingRow, 'package_state_before'>>(
        'SELECT package_state_before FROM stagings WHERE sequence = ?',
      )
      .get(staging.sequence)?.package_state_before
  }

  launch(uuid: string): Launch {
    const row = this.#database.statement<LaunchRow>('SELECT * FROM launches WHERE uuid = ?').get(uuid)
    if (!row) throw new NotFound('launch-not-found', `There is no launch ${uuid}.`)
    return decodeLaunch(row)
  }

  #launches(staging: number): Launch[] {
    return this.#database
      .statement<LaunchRow>('SELECT * FROM launches WHERE staging = ? ORDER BY sequence')
      .all(staging)
      .map(decodeLaunch)
  }
}

function decode(row: StagingRow, launches: Launch[]): Staging {
  const work = JSON.parse(row.work) as WorkingCopy
  const source = row.source === null ? undefined : (JSON.parse(row.source) as StagingSource)
  const failure = row.failure === null ? undefined : (JSON.parse(row.failure) as Failure)
  return {
    uuid: row.uuid,
    sequence: row.sequence,
    state: row.state,
    packageUuid: row.package,
    packageFqn: row.package_fqn,
    pipelineFqn: row.pipeline_fqn,
    stagers: JSON.parse(row.stagers) as StagerSnapshot[],
    step: row.step,
    relaunches: row.relaunches,
    interruptions: row.interruptions,
    cancelRequested: row.cancel_requested === 1,
    work: { ...work, resource: decodeResource(work.resource) },
    source: source && {
      resource: decodeResource(source.resource),
      dependencies: source.dependencies,
      environment: source.environment,
      ...(source.manifest ? { manifest: source.manifest } : {}),
    },
    keepFailedMs: row.keep_failed_ms ?? undefined,
    failure: failure && { ...failure, stager: failure.stager },
    launches,
    submittedAt: row.submitted_at,
    startedAt: row.started_at ?? undefined,
    endedAt: row.ended_at ?? undefined,
  }
}

function decodeLaunch(row: LaunchRow): Launch {
  return {
    uuid: row.uuid,
    stagerFqn: row.stager_fqn,
    step: row.step,
    state: row.state,
    exitCode: row.exit_code ?? undefined,
    startedAt: row.started_at,
    endedAt: row.ended_at ?? undefined,
  }
}
