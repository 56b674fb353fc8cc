import { BadInput } from '../../../base/errors.js'
import { formatFqn } from '../../../base/fqn.js'
import { MOST_LABELS } from '../../../base/labels.js'
import type { RecordedLaunch, TakenOver } from '../../model/result.js'
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
import type { Package } from '../../packages/package.js'
import type { SealedSecrets, StagingFilter } from '../staging-ledger.js'
import { sql, type Value, type Work } from './work.js'
import { decodeResource } from './package-table.js'
import { STAGING } from './states.js'
import { stagingNotFound } from '../not-found.js'
import { whereFqnWithin } from './references.js'

interface StagingRow {
  readonly sequence: number
  readonly uuid: string
  readonly state: StagingState
  readonly package: string
  readonly package_fqn: string
  readonly pipeline_fqn: string
  readonly stagers: string
  readonly step: number
  readonly relaunches: number
  readonly interruptions: number
  readonly log_writer: number
  readonly cancel_requested: 0 | 1
  readonly work: string
  readonly source: string | null
  readonly input: string | null
  readonly awaits_source: 0 | 1
  readonly reuse: 0 | 1
  readonly reused: string | null
  readonly taken_over: string | null
  readonly keep_failed_ms: number | null
  readonly secrets: string
  readonly term: number | null
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

export interface NewStaging extends Pick<
  Staging,
  'uuid' | 'pipelineFqn' | 'stagers' | 'work' | 'source' | 'awaitsSource' | 'reuse' | 'keepFailedMs'
> {
  readonly secrets: SealedSecrets | undefined
  readonly subject: Package
  readonly submittedAt: string
}

/** Rows of stagings and launches, inside a transaction. */
export class StagingTable {
  /** Queues it. Throws `BadInput` (`too-many-labels`). */
  *insert(staging: NewStaging): Work<void> {
    const { uuid, subject, pipelineFqn, stagers, work, source, awaitsSource, reuse, keepFailedMs, secrets } = staging
    const labels = [...new Set(stagers.flatMap((stager) => stager.labels ?? []))].sort()
    if (labels.length > MOST_LABELS) throw tooManyLabels(pipelineFqn, labels.length)
    const inserted = yield* sql.one<{ sequence: number }>(
      `INSERT INTO stagings (uuid, state, package, package_fqn, package_state_before, pipeline_fqn, stagers, work, input,
           source, awaits_source, reuse, keep_failed_ms, secrets, labels, submitted_at)
         VALUES (?, ${STAGING.queued}, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING sequence`,
      uuid,
      subject.uuid,
      formatFqn('package', subject),
      subject.state,
      pipelineFqn,
      JSON.stringify(stagers),
      JSON.stringify(work),
      JSON.stringify(work),
      source ? JSON.stringify(source) : null,
      Number(awaitsSource),
      Number(reuse),
      keepFailedMs ?? null,
      JSON.stringify(secrets?.names ?? []),
      JSON.stringify(labels),
      staging.submittedAt,
    )
    if (!secrets || !inserted) return
    yield* sql.run('INSERT INTO staging_secrets (staging, sealed) VALUES (?, ?)', inserted.sequence, secrets.sealed)
  }

  /** @param tail what follows `FROM stagings` */
  *select(tail: string, values: readonly Value[]): Work<Staging[]> {
    return yield* this.read(`SELECT * FROM stagings ${tail}`, values)
  }

  /** @param statement returns whole rows of stagings */
  *read(statement: string, values: readonly Value[]): Work<Staging[]> {
    const stagings: Staging[] = []
    for (const row of yield* sql.all<StagingRow>(statement, ...values))
      stagings.push(decode(row, yield* this.#launches(row.sequence)))
    return stagings
  }

  /** Newest first. */
  *list({ namespaces = ['/'], state, packageUuid, pipelineFqn, since, limit }: StagingFilter): Work<Staging[]> {
    const within = whereFqnWithin('package_fqn', 'package', namespaces)
    const conditions = [
      ['state = ?', state],
      ['package = ?', packageUuid],
      ['pipeline_fqn = ?', pipelineFqn],
      // All times in the database have the same form, so their order is that of their text.
      ['submitted_at >= ?', since?.toISOString()],
    ].flatMap(([condition = '', value]) => (value === undefined ? [] : [{ condition, value }]))
    const where = [within.where, ...conditions.map(({ condition }) => condition)].join(' AND ')
    const values = [...within.values, ...conditions.map(({ value }) => value)]
    const most = limit === undefined ? { clause: '', values: [] } : { clause: 'LIMIT ?', values: [limit] }
    return yield* this.select(`WHERE ${where} ORDER BY sequence DESC ${most.clause}`, [...values, ...most.values])
  }

  /** Throws `NotFound` (`staging-not-found`). */
  *get(uuid: string): Work<Staging> {
    const [found] = yield* this.select('WHERE uuid = ?', [uuid.toLowerCase()])
    if (!found) throw stagingNotFound(uuid)
    return found
  }

  /** @param statement returns a whole row of a launch, or none */
  *launch(statement: string, values: readonly Value[]): Work<Launch | undefined> {
    const row = yield* sql.one<LaunchRow>(statement, ...values)
    return row && decodeLaunch(row)
  }

  /** The launches whose verdict has changed the working copy, in order, with those that were taken over. */
  *recordedLaunches(staging: number): Work<RecordedLaunch[]> {
    const row = yield* sql.one<Pick<StagingRow, 'taken_over'>>(
      'SELECT taken_over FROM stagings WHERE sequence = ?',
      staging,
    )
    const earlier = row?.taken_over == null ? [] : (JSON.parse(row.taken_over) as TakenOver).launches
    return [...earlier, ...(yield* this.#ownLaunches(staging))]
  }

  *#ownLaunches(staging: number): Work<RecordedLaunch[]> {
    const rows = yield* sql.all<
      Pick<LaunchRow, 'step' | 'state'> & { readonly given: string | null; readonly work: string }
    >('SELECT step, state, given, work FROM launches WHERE staging = ? AND work IS NOT NULL ORDER BY sequence', staging)
    return rows.map(({ step, state, given, work }) => ({
      step,
      verdict: state === 'relaunched' ? 'relaunch' : 'done',
      given: given ?? undefined,
      work: JSON.parse(work) as WorkingCopy,
    }))
  }

  *#launches(staging: number): Work<Launch[]> {
    return (yield* sql.all<LaunchRow>('SELECT * FROM launches WHERE staging = ? ORDER BY sequence', staging)).map(
      decodeLaunch,
    )
  }
}

function decode(row: StagingRow, launches: Launch[]): Staging {
  const work = JSON.parse(row.work) as WorkingCopy
  const source = row.source === null ? undefined : (JSON.parse(row.source) as StagingSource)
  const input = row.input === null ? undefined : (JSON.parse(row.input) as WorkingCopy)
  const takenOver = row.taken_over === null ? undefined : (JSON.parse(row.taken_over) as TakenOver)
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
    logWriter: row.log_writer,
    cancelRequested: row.cancel_requested === 1,
    work: { ...work, resource: decodeResource(work.resource) },
    source: source && {
      resource: decodeResource(source.resource),
      dependencies: source.dependencies,
      environment: source.environment,
      ...(source.ownEnvironment ? { ownEnvironment: true } : {}),
      ...(source.manifest ? { manifest: source.manifest } : {}),
    },
    awaitsSource: row.awaits_source === 1,
    input: input && { ...input, resource: decodeResource(input.resource) },
    reuse: row.reuse === 1,
    reused: row.reused ?? undefined,
    ...(takenOver ? { takenOver: { staging: takenOver.staging, stagers: stagersOf(takenOver) } } : {}),
    keepFailedMs: row.keep_failed_ms ?? undefined,
    secrets: JSON.parse(row.secrets) as string[],
    ...(row.term === null ? {} : { term: row.term }),
    failure: failure && { ...failure, stager: failure.stager },
    launches,
    submittedAt: row.submitted_at,
    startedAt: row.started_at ?? undefined,
    endedAt: row.ended_at ?? undefined,
  }
}

function tooManyLabels(pipelineFqn: string, count: number): BadInput {
  return new BadInput(
    'too-many-labels',
    `The stagers of ${pipelineFqn} need ${count} labels together, and a node has at most ${MOST_LABELS}: no node could run it, so have them need fewer.`,
  )
}

function stagersOf({ launches }: TakenOver): number {
  return (launches.at(-1)?.step ?? -1) + 1
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
