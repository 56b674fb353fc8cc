import { withOwnStartCommand } from '../../packages/manifest/apply-manifest.js'
import type { Term } from '../../model/node.js'
import type { TakenOver } from '../../model/result.js'
import {
  LAUNCH_STATE_AFTER,
  openLaunchOf,
  type Failure,
  type Launch,
  type Staging,
  type WorkingCopy,
} from '../../model/staging.js'
import { leaseLost } from '../lease-lost.js'
import type { NewLaunch, NodeLedger } from '../node-ledger.js'
import { laneHeads, mayBegin, TO_GO_ON } from './admission.js'
import { SqlLedger } from './ledger.js'
import type { LedgerParts } from './ledger-parts.js'
import { assertOwnsLaunch, assertOwnsStaging } from './ownership.js'
import { changeOne, stateChanged } from './state-changed.js'
import { LAUNCH, OPEN_LAUNCH, STAGING } from './states.js'
import { takeOver } from './take-over.js'
import { sql, type Value, type Work } from './work.js'

/**
 * The transitions of running stagings. All but the admission go through `#ofLaunch` or `#ofStaging`, which ask for the owner first.
 * An admission looks at the oldest of each lane that the node may run, in an index, so that any number of stagings which no node may
 * run costs nothing (`laneHeads`).
 */
export class SqlNodeLedger extends SqlLedger implements NodeLedger {
  readonly #term: number
  readonly #labels: string

  constructor(parts: LedgerParts, { number, labels }: Term) {
    super(parts)
    this.#term = number
    this.#labels = JSON.stringify(labels)
  }

  admitNext(): Promise<Staging | undefined> {
    return this.parts.transactions.write(function* () {
      return (yield* this.#goOn()) ?? (yield* this.#begin())
    }, this)
  }

  beginLaunch(staging: string, { uuid, stagerFqn, step, given }: NewLaunch): Promise<Launch> {
    return this.#ofStaging(staging, function* () {
      const launch = yield* this.parts.stagings.launch(
        `INSERT INTO launches (uuid, staging, stager_fqn, step, state, started_at, given)
         SELECT ?, sequence, ?, step, ${LAUNCH.starting}, ?, ? FROM stagings
         WHERE uuid = ? AND state = ${STAGING.running} AND step = ?
           AND NOT EXISTS (SELECT 1 FROM launches WHERE launches.staging = stagings.sequence AND launches.state IN ${OPEN_LAUNCH})
         RETURNING *`,
        [uuid, stagerFqn, this.parts.now(), given ?? null, staging.toLowerCase(), step],
      )
      if (!launch) throw stateChanged(`staging ${staging} is not running at step ${step} without a launch`)
      return launch
    })
  }

  launchRunning(launch: string): Promise<void> {
    return this.#ofLaunch(launch, function* () {
      yield* changeOne(
        `UPDATE launches SET state = ${LAUNCH.running} WHERE uuid = ? AND state = ${LAUNCH.starting}`,
        [launch],
        `launch ${launch} is not starting`,
      )
    })
  }

  advance(launch: string, work: WorkingCopy): Promise<Staging> {
    return this.#ofLaunch(launch, function* () {
      const staging = yield* this.parts.endings.end(launch, 'done', work)
      const { sequence, uuid } = staging
      yield* this.parts.subjects.keepOutput(staging, work)
      yield* changeOne(
        `UPDATE stagings SET step = step + 1, relaunches = 0, interruptions = 0, work = ?
         WHERE sequence = ? AND state = ${STAGING.running} AND step + 1 < json_array_length(stagers)`,
        [JSON.stringify(work), sequence],
        `staging ${uuid} has no stager after this one`,
      )
      return yield* this.parts.stagings.get(uuid)
    })
  }

  succeed(launch: string, work: WorkingCopy, again?: string): Promise<Staging> {
    return this.#ofLaunch(launch, function* () {
      const staging = yield* this.parts.endings.end(launch, 'done', work)
      const { sequence, uuid, pipelineFqn: pipeline, input } = staging
      yield* changeOne(
        `UPDATE stagings SET state = ${STAGING.succeeded}, work = ?, ended_at = ?
         WHERE sequence = ? AND state = ${STAGING.running} AND step + 1 = json_array_length(stagers)`,
        [JSON.stringify(work), this.parts.now(), sequence],
        `staging ${uuid} has another stager after this one`,
      )
      const { manifest, ...content } = withOwnStartCommand(work)
      const launches = yield* this.parts.stagings.recordedLaunches(sequence)
      const making = input && { staging: uuid, pipeline, input, launches, again }
      yield* this.parts.subjects.become(
        staging,
        { ...content, manifest },
        { kind: 'staging', staging: uuid, pipeline },
        making,
      )
      return yield* this.parts.stagings.get(uuid)
    })
  }

  answer(staging: string, result: number): Promise<Staging> {
    return this.#ofStaging(staging, function* () {
      const found = yield* this.parts.stagings.get(staging)
      const kept = (yield* this.resultsFor(found)).find(({ number }) => number === result)
      if (!kept) throw stateChanged(`result ${result} of ${found.packageFqn} is not kept any more`)
      return yield* this.parts.endings.answer(found, kept, 'running')
    })
  }

  takeOver(staging: string, from: TakenOver): Promise<Staging> {
    return this.#ofStaging(staging, () => takeOver(this.parts.stagings, this.parts.subjects, { staging, from }))
  }

  relaunch(launch: string, work: WorkingCopy): Promise<Staging> {
    return this.#ofLaunch(launch, function* () {
      const { sequence, uuid } = yield* this.parts.endings.end(launch, 'relaunched', work)
      yield* changeOne(
        `UPDATE stagings SET relaunches = relaunches + 1, interruptions = 0, work = ? WHERE sequence = ? AND state = ${STAGING.running}`,
        [JSON.stringify(work), sequence],
        `staging ${uuid} is not running`,
      )
      return yield* this.parts.stagings.get(uuid)
    })
  }

  fail(staging: string, launch: string | undefined, failure: Failure): Promise<Staging> {
    return this.#ofStaging(staging, function* () {
      const found = yield* this.parts.stagings.get(staging)
      const { sequence, uuid, packageUuid } = found
      if (
        launch !== undefined &&
        (yield* this.parts.endings.end(launch, LAUNCH_STATE_AFTER[failure.cause])).uuid !== uuid
      )
        throw stateChanged(`launch ${launch} is not one of staging ${uuid}`)
      yield* changeOne(
        `UPDATE stagings SET state = ${STAGING.failed}, failure = ?, ended_at = ? WHERE sequence = ? AND state = ${STAGING.running}
           AND NOT EXISTS (SELECT 1 FROM launches WHERE launches.staging = stagings.sequence AND launches.state IN ${OPEN_LAUNCH})`,
        [JSON.stringify(failure), this.parts.now(), sequence],
        `staging ${uuid} is not running without an open launch`,
      )
      // A package that was ready stays ready, with its data from before: other packages depend on it.
      const stays = (yield* this.parts.subjects.stateBefore(found)) === 'ready'
      yield* this.parts.subjects.restore(packageUuid, stays ? 'ready' : 'failed')
      return yield* this.parts.stagings.get(uuid)
    })
  }

  replaceHint(staging: string, hint: string): Promise<Staging> {
    return this.#ofStaging(staging, function* () {
      const { uuid, failure } = yield* this.parts.stagings.get(staging)
      yield* changeOne(
        `UPDATE stagings SET failure = ? WHERE uuid = ? AND state = ${STAGING.failed}`,
        [JSON.stringify({ ...failure, hint }), uuid],
        `staging ${uuid} has not failed`,
      )
      return yield* this.parts.stagings.get(uuid)
    })
  }

  abortLaunch(launch: string): Promise<Staging> {
    return this.#ofLaunch(launch, function* () {
      const { sequence, uuid } = yield* this.parts.endings.end(launch, 'aborted')
      yield* changeOne(
        `UPDATE stagings SET interruptions = interruptions + 1 WHERE sequence = ? AND state = ${STAGING.running}`,
        [sequence],
        `staging ${uuid} is not running`,
      )
      return yield* this.parts.stagings.get(uuid)
    })
  }

  takeUpAgain(staging: string): Promise<Staging> {
    return this.#ofStaging(staging, function* () {
      const found = yield* this.parts.stagings.get(staging)
      const open = openLaunchOf(found)
      if (found.state !== 'running') return found
      if (open) yield* this.parts.endings.end(open.uuid, 'aborted')
      yield* sql.run('UPDATE stagings SET log_writer = log_writer + 1 WHERE sequence = ?', found.sequence)
      return yield* this.parts.stagings.get(staging)
    })
  }

  recordExit(launch: string, exitCode: number): Promise<void> {
    return this.#ofLaunch(launch, function* () {
      yield* changeOne(
        `UPDATE launches SET exit_code = ? WHERE uuid = ? AND state <> ${LAUNCH.starting} AND exit_code IS NULL`,
        [exitCode, launch],
        `launch ${launch} has not run, or its exit is recorded already`,
      )
    })
  }

  cancel(staging: string): Promise<Staging> {
    return this.#ofStaging(staging, function* () {
      const found = yield* this.parts.stagings.get(staging)
      if (!found.cancelRequested) throw stateChanged(`staging ${staging} has no request to cancel it`)
      return yield* this.parts.endings.cancel(found, 'running')
    })
  }

  #ofLaunch<T>(launch: string, work: (this: this) => Work<T>): Promise<T> {
    return this.parts.transactions.write(function* () {
      yield* assertOwnsLaunch(this.#term, launch)
      return yield* work.call(this)
    }, this)
  }

  #ofStaging<T>(staging: string, work: (this: this) => Work<T>): Promise<T> {
    return this.parts.transactions.write(function* () {
      yield* assertOwnsStaging(this.#term, staging)
      return yield* work.call(this)
    }, this)
  }

  /** The oldest that was interrupted. */
  *#goOn(): Work<Staging | undefined> {
    return yield* this.#admit(TO_GO_ON, [this.#labels])
  }

  /** The oldest that is queued in no realm that has reached its limit. */
  *#begin(): Work<Staging | undefined> {
    const full = yield* this.parts.concurrency.full()
    const may = mayBegin(full)
    for (const { labels, oldest } of yield* laneHeads(full, this.#labels)) {
      const inLane = `${may.where} AND labels BETWEEN ? AND ? AND sequence >= ? ORDER BY labels, sequence`
      const admitted = yield* this.#admit(inLane, [...may.values, labels, labels, oldest])
      // Undefined if others are taking all of these at this moment.
      if (admitted) return admitted
    }
    return undefined
  }

  /** Makes the first one this term's. @param inOrder which, and their order */
  *#admit(inOrder: string, values: readonly Value[]): Work<Staging | undefined> {
    const [staging] = yield* this.parts.stagings.read(
      `UPDATE stagings SET state = ${STAGING.running}, started_at = coalesce(started_at, ?), log_writer = log_writer + 1,
           term = (SELECT number FROM terms WHERE number = ? AND ended_at IS NULL)
         WHERE sequence = (
           SELECT sequence FROM stagings WHERE ${inOrder} LIMIT 1 ${this.parts.dialect.taken})
         RETURNING *`,
      [this.parts.now(), this.#term, ...values],
    )
    if (staging && staging.term === undefined) throw leaseLost(this.#term)
    return staging
  }
}
