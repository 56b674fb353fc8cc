import { randomUUID } from 'node:crypto'
import { BadInput, Conflict } from '../../../base/errors.js'
import type { Result } from '../../model/result.js'
import type { Failure, Staging, StagingSource } from '../../model/staging.js'
import type { OwnPlaces, Waiting } from '../../model/waiting.js'
import { WEBHOOK_STATES } from '../../model/webhook.js'
import type { AnswerOf, StagingCounts, StagingFilter, StagingLedger, SubmitStaging } from '../staging-ledger.js'
import { AwaitedSources } from './awaited-sources.js'
import { explainWaiting } from './explain-waiting.js'
import type { LedgerParts } from './ledger-parts.js'
import { changeOne } from './state-changed.js'
import { STAGING } from './states.js'
import { insertWebhook } from './webhook-rows.js'
import { sql, type Work } from './work.js'
import { workingCopyOf } from './working-copy-of.js'

/** Each is a range of an index. */
const COUNTS = `SELECT
  (SELECT count(*) FROM stagings WHERE state = ${STAGING.running}
     AND term = (SELECT number FROM terms WHERE node = ? AND ended_at IS NULL)) AS running,
  (SELECT count(*) FROM stagings WHERE state = ${STAGING.queued}) AS queued,
  (SELECT count(*) FROM stagings WHERE state = ${STAGING.running} AND term IS NULL) AS interrupted,
  (SELECT submitted_at FROM stagings WHERE state = ${STAGING.queued} ORDER BY sequence LIMIT 1) AS oldest`

/** Each transition is one UPDATE that names the state it starts from. If it changes no row, it throws, which rolls the transaction back. */
export class SqlLedger implements StagingLedger {
  readonly #awaited: AwaitedSources

  constructor(protected readonly parts: LedgerParts) {
    this.#awaited = new AwaitedSources(parts.stagings, parts.packages, parts.subjects)
  }

  submit(request: SubmitStaging, answerOf?: AnswerOf): Promise<Staging> {
    const { packageUuid, pipelineFqn, stagers, source, reuse = true, keepFailedMs, secrets, notify = [] } = request
    const { uuid = randomUUID(), awaitsSource = false } = request
    const options = { source, awaitsSource, reuse, keepFailedMs, secrets }
    return this.parts.transactions.write(function* () {
      if (stagers.length === 0) throw new BadInput('empty-pipeline', `${pipelineFqn} has no stagers: append one first.`)
      const found = yield* this.parts.packages.get({ uuid: packageUuid })
      const work = workingCopyOf(found, source)
      yield* this.parts.packages.replace(found, { ...found, state: 'staging' })
      const submittedAt = this.parts.now()
      yield* this.parts.stagings.insert({ uuid, subject: found, pipelineFqn, stagers, work, ...options, submittedAt })
      const ofCall = { namespace: found.namespace, staging: uuid, on: WEBHOOK_STATES, createdAt: submittedAt }
      for (const receiver of notify) yield* insertWebhook({ ...receiver, ...ofCall })
      const staging = yield* this.parts.stagings.get(uuid)
      const answer = answerOf?.(staging, yield* this.parts.results.of(found))
      return answer ? yield* this.parts.endings.answer(staging, answer, 'queued') : staging
    }, this)
  }

  supply(staging: string, source: StagingSource): Promise<Staging> {
    return this.parts.transactions.write(() => this.#awaited.supply(staging, source))
  }

  refuse(staging: string, failure: Failure): Promise<Staging> {
    return this.parts.transactions.write(() => this.#awaited.refuse(staging, failure, this.parts.now()))
  }

  get(uuid: string): Promise<Staging> {
    return this.parts.transactions.read(() => this.parts.stagings.get(uuid))
  }

  list(filter: StagingFilter): Promise<readonly Staging[]> {
    return this.parts.transactions.read(() => this.parts.stagings.list(filter))
  }

  counts(node: string): Promise<StagingCounts> {
    return this.parts.transactions.read(function* () {
      const row = yield* sql.one<Omit<StagingCounts, 'oldestQueuedAt'> & { readonly oldest: string | null }>(
        COUNTS,
        node,
      )
      const { running = 0, queued = 0, interrupted = 0, oldest } = row ?? {}
      return { running, queued, interrupted, oldestQueuedAt: oldest ?? undefined }
    })
  }

  waiting(uuid: string, own?: OwnPlaces): Promise<Waiting | undefined> {
    return this.parts.transactions.read(function* () {
      const staging = yield* this.parts.stagings.get(uuid)
      return staging.state === 'queued' ? yield* explainWaiting(staging, this.parts.concurrency, own) : undefined
    }, this)
  }

  results(staging: string): Promise<readonly Result[]> {
    return this.parts.transactions.read(function* () {
      return yield* this.resultsFor(yield* this.parts.stagings.get(staging))
    }, this)
  }

  requestCancel(staging: string): Promise<Staging> {
    return this.parts.transactions.write(function* () {
      const found = yield* this.parts.stagings.get(staging)
      if (found.state === 'queued') return yield* this.parts.endings.cancel(found, 'queued')
      const outcome = found.state === 'cancelled' ? 'was cancelled' : found.state
      if (found.state !== 'running')
        throw new Conflict('staging-ended', `Staging ${staging} has ended already: it ${outcome}.`)
      if (found.term === undefined) return yield* this.parts.endings.cancel(found, 'running')
      yield* changeOne(
        `UPDATE stagings SET cancel_requested = 1 WHERE sequence = ? AND state = ${STAGING.running}`,
        [found.sequence],
        `staging ${staging} is not running`,
      )
      return yield* this.parts.stagings.get(staging)
    }, this)
  }

  protected *resultsFor({ packageUuid: uuid }: Staging): Work<Result[]> {
    return yield* this.parts.results.of(yield* this.parts.packages.get({ uuid }))
  }
}
