import { randomUUID } from 'node:crypto'
import { BadInput, Conflict } from '../../../base/errors.js'
import { withOwnStartCommand } from '../../packages/manifest/apply-manifest.js'
import type { Result, TakenOver } from '../../model/result.js'
import type { AnswerOf, StagingFilter, StagingLedger, SubmitStaging } from '../staging-ledger.js'
import {
  LAUNCH_STATE_AFTER,
  type Failure,
  type Launch,
  type Staging,
  type StagingSource,
  type WorkingCopy,
} from '../../model/staging.js'
import { WEBHOOK_STATES } from '../../model/webhook.js'
import { AwaitedSources } from './awaited-sources.js'
import type { Dialect } from './dialect.js'
import { sql, type Transactions, type Work } from './work.js'
import { LaunchEndings } from './launch-endings.js'
import type { PackageTable } from './package-table.js'
import type { ResultTable } from './result-table.js'
import { StagedPackages } from './staged-packages.js'
import { changeOne, stateChanged } from './state-changed.js'
import { StagingTable } from './staging-table.js'
import { LAUNCH, OPEN_LAUNCH, STAGING } from './states.js'
import { takeOver } from './take-over.js'
import { insertWebhook } from './webhook-rows.js'
import { workingCopyOf } from './working-copy-of.js'

/** Each transition is one UPDATE that names the state it starts from. If it changes no row, it throws, which rolls the transaction back. */
export class SqlLedger implements StagingLedger {
  readonly #transactions: Transactions
  readonly #stagings: StagingTable
  readonly #packages: PackageTable
  readonly #results: ResultTable
  readonly #subjects: StagedPackages
  readonly #endings: LaunchEndings
  readonly #awaited: AwaitedSources
  readonly #dialect: Dialect
  readonly #now: () => string

  constructor(
    transactions: Transactions,
    dialect: Dialect,
    packages: PackageTable,
    results: ResultTable,
    now: () => Date = () => new Date(),
  ) {
    this.#transactions = transactions
    this.#dialect = dialect
    this.#stagings = new StagingTable()
    this.#packages = packages
    this.#results = results
    this.#subjects = new StagedPackages(packages, results)
    this.#now = () => now().toISOString()
    this.#awaited = new AwaitedSources(this.#stagings, packages, this.#subjects)
    this.#endings = new LaunchEndings(this.#stagings, this.#subjects, this.#now)
  }

  submit(request: SubmitStaging, answerOf?: AnswerOf): Promise<Staging> {
    const { packageUuid, pipelineFqn, stagers, source, reuse = true, keepFailedMs, secrets, notify = [] } = request
    const { uuid = randomUUID(), awaitsSource = false } = request
    const options = { source, awaitsSource, reuse, keepFailedMs, secrets }
    return this.#transactions.write(function* () {
      if (stagers.length === 0) throw new BadInput('empty-pipeline', `${pipelineFqn} has no stagers: append one first.`)
      const found = yield* this.#packages.get({ uuid: packageUuid })
      const work = workingCopyOf(found, source)
      yield* this.#packages.replace(found, { ...found, state: 'staging' })
      const submittedAt = this.#now()
      yield* this.#stagings.insert({ uuid, subject: found, pipelineFqn, stagers, work, ...options, submittedAt })
      const ofCall = { namespace: found.namespace, staging: uuid, on: WEBHOOK_STATES, createdAt: submittedAt }
      for (const receiver of notify) yield* insertWebhook({ ...receiver, ...ofCall })
      const staging = yield* this.#stagings.get(uuid)
      const answer = answerOf?.(staging, yield* this.#results.of(found))
      return answer ? yield* this.#endings.answer(staging, answer, 'queued') : staging
    }, this)
  }

  supply(staging: string, source: StagingSource): Promise<Staging> {
    return this.#transactions.write(() => this.#awaited.supply(staging, source))
  }

  refuse(staging: string, failure: Failure): Promise<Staging> {
    return this.#transactions.write(() => this.#awaited.refuse(staging, failure, this.#now()))
  }

  admitNext(): Promise<Staging | undefined> {
    return this.#transactions.write(function* () {
      const row = yield* sql.one<{ uuid: string }>(
        `UPDATE stagings SET state = ${STAGING.running}, started_at = ?
           WHERE sequence = (
             SELECT sequence FROM stagings WHERE state = ${STAGING.queued} AND awaits_source = 0
             ORDER BY sequence LIMIT 1 ${this.#dialect.taken})
           RETURNING uuid`,
        this.#now(),
      )
      return row && (yield* this.#stagings.get(row.uuid))
    }, this)
  }

  running(): Promise<readonly Staging[]> {
    return this.#transactions.read(() =>
      this.#stagings.select(`WHERE state = ${STAGING.running} ORDER BY sequence`, []),
    )
  }

  get(uuid: string): Promise<Staging> {
    return this.#transactions.read(() => this.#stagings.get(uuid))
  }

  list(filter: StagingFilter): Promise<readonly Staging[]> {
    return this.#transactions.read(() => this.#stagings.list(filter))
  }

  beginLaunch(
    staging: string,
    launch: { readonly uuid: string; readonly stagerFqn: string; readonly step: number; readonly given?: string },
  ): Promise<Launch> {
    return this.#transactions.write(function* () {
      const { sequence } = yield* this.#stagings.get(staging)
      yield* changeOne(
        `INSERT INTO launches (uuid, staging, stager_fqn, step, state, started_at, given)
         SELECT ?, sequence, ?, step, ${LAUNCH.starting}, ?, ? FROM stagings
         WHERE sequence = ? AND state = ${STAGING.running} AND step = ?
           AND NOT EXISTS (SELECT 1 FROM launches WHERE launches.staging = stagings.sequence AND launches.state IN ${OPEN_LAUNCH})`,
        [launch.uuid, launch.stagerFqn, this.#now(), launch.given ?? null, sequence, launch.step],
        `staging ${staging} is not running at step ${launch.step} without a launch`,
      )
      return yield* this.#stagings.launch(launch.uuid)
    }, this)
  }

  launchRunning(launch: string): Promise<void> {
    return this.#transactions.write(function* () {
      yield* this.#stagings.launch(launch)
      yield* changeOne(
        `UPDATE launches SET state = ${LAUNCH.running} WHERE uuid = ? AND state = ${LAUNCH.starting}`,
        [launch],
        `launch ${launch} is not starting`,
      )
    }, this)
  }

  advance(launch: string, work: WorkingCopy): Promise<Staging> {
    return this.#transactions.write(function* () {
      const staging = yield* this.#endings.end(launch, 'done', work)
      const { sequence, uuid } = staging
      yield* this.#subjects.keepOutput(staging, work)
      yield* changeOne(
        `UPDATE stagings SET step = step + 1, relaunches = 0, interruptions = 0, work = ?
         WHERE sequence = ? AND state = ${STAGING.running} AND step + 1 < json_array_length(stagers)`,
        [JSON.stringify(work), sequence],
        `staging ${uuid} has no stager after this one`,
      )
      return yield* this.#stagings.get(uuid)
    }, this)
  }

  succeed(launch: string, work: WorkingCopy, again?: string): Promise<Staging> {
    return this.#transactions.write(function* () {
      const staging = yield* this.#endings.end(launch, 'done', work)
      const { sequence, uuid, pipelineFqn: pipeline, input } = staging
      yield* changeOne(
        `UPDATE stagings SET state = ${STAGING.succeeded}, work = ?, ended_at = ?
         WHERE sequence = ? AND state = ${STAGING.running} AND step + 1 = json_array_length(stagers)`,
        [JSON.stringify(work), this.#now(), sequence],
        `staging ${uuid} has another stager after this one`,
      )
      const { manifest, ...content } = withOwnStartCommand(work)
      const launches = yield* this.#stagings.recordedLaunches(sequence)
      const making = input && { staging: uuid, pipeline, input, launches, again }
      yield* this.#subjects.become(
        staging,
        { ...content, manifest },
        { kind: 'staging', staging: uuid, pipeline },
        making,
      )
      return yield* this.#stagings.get(uuid)
    }, this)
  }

  results(staging: string): Promise<readonly Result[]> {
    return this.#transactions.read(function* () {
      return yield* this.#resultsFor(yield* this.#stagings.get(staging))
    }, this)
  }

  answer(staging: string, result: number): Promise<Staging> {
    return this.#transactions.write(function* () {
      const found = yield* this.#stagings.get(staging)
      const kept = (yield* this.#resultsFor(found)).find(({ number }) => number === result)
      if (!kept) throw stateChanged(`result ${result} of ${found.packageFqn} is not kept any more`)
      return yield* this.#endings.answer(found, kept, 'running')
    }, this)
  }

  takeOver(staging: string, from: TakenOver): Promise<Staging> {
    return this.#transactions.write(() => takeOver(this.#stagings, this.#subjects, { staging, from }))
  }

  relaunch(launch: string, work: WorkingCopy): Promise<Staging> {
    return this.#transactions.write(function* () {
      const { sequence, uuid } = yield* this.#endings.end(launch, 'relaunched', work)
      yield* changeOne(
        `UPDATE stagings SET relaunches = relaunches + 1, interruptions = 0, work = ? WHERE sequence = ? AND state = ${STAGING.running}`,
        [JSON.stringify(work), sequence],
        `staging ${uuid} is not running`,
      )
      return yield* this.#stagings.get(uuid)
    }, this)
  }

  fail(staging: string, launch: string | undefined, failure: Failure): Promise<Staging> {
    return this.#transactions.write(function* () {
      const found = yield* this.#stagings.get(staging)
      const { sequence, uuid, packageUuid } = found
      if (launch !== undefined && (yield* this.#endings.end(launch, LAUNCH_STATE_AFTER[failure.cause])).uuid !== uuid)
        throw stateChanged(`launch ${launch} is not one of staging ${uuid}`)
      yield* changeOne(
        `UPDATE stagings SET state = ${STAGING.failed}, failure = ?, ended_at = ? WHERE sequence = ? AND state = ${STAGING.running}
           AND NOT EXISTS (SELECT 1 FROM launches WHERE launches.staging = stagings.sequence AND launches.state IN ${OPEN_LAUNCH})`,
        [JSON.stringify(failure), this.#now(), sequence],
        `staging ${uuid} is not running without an open launch`,
      )
      // A package that was ready stays ready, with its data from before: other packages depend on it.
      const stays = (yield* this.#subjects.stateBefore(found)) === 'ready'
      yield* this.#subjects.restore(packageUuid, stays ? 'ready' : 'failed')
      return yield* this.#stagings.get(uuid)
    }, this)
  }

  replaceHint(staging: string, hint: string): Promise<Staging> {
    return this.#transactions.write(function* () {
      const { uuid, failure } = yield* this.#stagings.get(staging)
      yield* changeOne(
        `UPDATE stagings SET failure = ? WHERE uuid = ? AND state = ${STAGING.failed}`,
        [JSON.stringify({ ...failure, hint }), uuid],
        `staging ${uuid} has not failed`,
      )
      return yield* this.#stagings.get(uuid)
    }, this)
  }

  abortLaunch(launch: string): Promise<Staging> {
    return this.#transactions.write(function* () {
      const { sequence, uuid } = yield* this.#endings.end(launch, 'aborted')
      yield* changeOne(
        `UPDATE stagings SET interruptions = interruptions + 1 WHERE sequence = ? AND state = ${STAGING.running}`,
        [sequence],
        `staging ${uuid} is not running`,
      )
      return yield* this.#stagings.get(uuid)
    }, this)
  }

  recordExit(launch: string, exitCode: number): Promise<void> {
    return this.#transactions.write(function* () {
      yield* this.#stagings.launch(launch)
      yield* changeOne(
        `UPDATE launches SET exit_code = ? WHERE uuid = ? AND state <> ${LAUNCH.starting} AND exit_code IS NULL`,
        [exitCode, launch],
        `launch ${launch} has not run, or its exit is recorded already`,
      )
    }, this)
  }

  requestCancel(staging: string): Promise<Staging> {
    return this.#transactions.write(function* () {
      const found = yield* this.#stagings.get(staging)
      if (found.state === 'queued') return yield* this.#endings.cancel(found, 'queued')
      const outcome = found.state === 'cancelled' ? 'was cancelled' : found.state
      if (found.state !== 'running')
        throw new Conflict('staging-ended', `Staging ${staging} has ended already: it ${outcome}.`)
      yield* changeOne(
        `UPDATE stagings SET cancel_requested = 1 WHERE sequence = ? AND state = ${STAGING.running}`,
        [found.sequence],
        `staging ${staging} is not running`,
      )
      return yield* this.#stagings.get(staging)
    }, this)
  }

  cancel(staging: string): Promise<Staging> {
    return this.#transactions.write(function* () {
      const found = yield* this.#stagings.get(staging)
      if (!found.cancelRequested) throw stateChanged(`staging ${staging} has no request to cancel it`)
      return yield* this.#endings.cancel(found, 'running')
    }, this)
  }

  *#resultsFor({ packageUuid: uuid }: Staging): Work<Result[]> {
    return yield* this.#results.of(yield* this.#packages.get({ uuid }))
  }
}
