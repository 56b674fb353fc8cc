import { once } from 'node:events'
import type { Logger } from 'pino'
import { messageOf, Refused } from '../../base/errors.js'
import { explainFailure } from './explain-failure.js'
import { failureOfError, failureOfInterruptions } from './failures.js'
import type { LaunchRunner } from './launch-runner.js'
import type { LaunchEnd, LaunchOutcome } from './launch-outcome.js'
import { isDatabaseAway } from '../store/database-away.js'
import { isLeaseLost } from '../store/lease-lost.js'
import type { NodeLedger } from '../store/node-ledger.js'
import type { LogStore } from '../log/log-store.js'
import type { LogWriter } from '../log/log-writer.js'
import { beginning, COMPLETE, reuseOf, takeOverOf } from './log-lines.js'
import type { Reuse } from './reuse.js'
import { currentStager, stagerFqn } from './plan.js'
import { INTERRUPTION_LIMIT, openLaunchOf, type Staging } from '../model/staging.js'
import type { WorkOutcome } from './staging-queue.js'
import { StagingUploads, type StagingUploadsParts } from './staging-uploads.js'

export interface StagingRunnerParts {
  /** Of one term. */
  readonly ledger: NodeLedger
  readonly launches: Pick<LaunchRunner, 'run'>
  readonly reuse: Pick<Reuse, 'answer' | 'takeOver'>
  readonly logs: LogStore
  readonly logger: Logger
  readonly uploads: StagingUploadsParts
  /** Resolves when the Engine answers and the leftovers of lost launches are removed. Rejects when `signal` is aborted. */
  readonly engineIsBack: (signal: AbortSignal) => Promise<void>
  /** Aborted when the daemon or the term ends: running launches are ended without a record, and their stagings continue later. */
  readonly stop: AbortSignal
  /** Why they continue later, for their logs. */
  readonly whyStopped: () => string
  /** To be called when the ledger says that the term has ended. */
  readonly leaseLost: (error: unknown) => void
}

/** Runs the launches of the stagings of one term, those of a staging one after the other, until it ends. */
export class StagingRunner {
  readonly #parts: StagingRunnerParts
  readonly #cancellations = new Map<string, AbortController>()
  /** Those that this term has begun to work at, until they have ended. */
  readonly #begun = new Set<string>()

  constructor(parts: StagingRunnerParts) {
    this.#parts = parts
  }

  /**
   * Ends the running launch of a staging. The request is in the ledger by then.
   *
   * @returns false if the staging is not at work: then nothing of it has to be ended
   */
  cancel(staging: string): boolean {
    const cancellation = this.#cancellations.get(staging)
    cancellation?.abort()
    return cancellation !== undefined
  }

  /** Starts at the first launch, or at the one that was interrupted. Never rejects. */
  async run(uuid: string): Promise<WorkOutcome> {
    const cancellation = new AbortController()
    // Before the staging is read: a request to cancel it is then in what is read, or aborts the signal.
    this.#cancellations.set(uuid, cancellation)
    const releases: Promise<void>[] = []
    const uploads = new StagingUploads(this.#parts.uploads)
    const kind = await this.#untilEnded(uuid, cancellation.signal, uploads, releases)
    this.#cancellations.delete(uuid)
    const released = Promise.all(releases).then(() => uploads.discardAll())
    if (kind === 'ended') {
      this.#begun.delete(uuid)
      return { kind, released }
    }
    // Nobody must meet what the attempt before has left.
    await released
    return { kind }
  }

  /** Never rejects. */
  async #untilEnded(
    uuid: string,
    cancelled: AbortSignal,
    uploads: StagingUploads,
    releases: Promise<void>[],
  ): Promise<WorkOutcome['kind']> {
    const { logs, logger } = this.#parts
    try {
      const admitted = await this.#takenUp(uuid)
      if (admitted.state !== 'running') return 'ended'
      const log = await logs.write(uuid, admitted.logWriter)
      try {
        await this.#logStart(admitted, log)
        await this.#launchUntilEnded(admitted, log, cancelled, uploads, releases)
      } catch (error) {
        await this.#giveUp(admitted, error, log)
      } finally {
        await log.close()
      }
      return 'ended'
    } catch (error) {
      if (this.#isLost(error)) return 'ended'
      logger.error({ err: error, staging: uuid }, 'a staging cannot be ended; it is taken up again')
      return 'unfinished'
    }
  }

  /** Without the open launch that an earlier attempt may have left in the ledger. It has released everything. */
  async #takenUp(uuid: string): Promise<Staging> {
    const { ledger } = this.#parts
    const staging = await ledger.get(uuid)
    const isFirst = !this.#begun.has(uuid)
    this.#begun.add(uuid)
    return isFirst && !openLaunchOf(staging) ? staging : await ledger.takeUpAgain(uuid)
  }

  async #logStart(staging: Staging, log: LogWriter): Promise<void> {
    if (staging.launches.length === 0) await log.message(beginning(staging))
    else if (!staging.cancelRequested) await log.message('Staging continues with the launch that was interrupted.')
  }

  async #launchUntilEnded(
    admitted: Staging,
    log: LogWriter,
    cancelled: AbortSignal,
    uploads: StagingUploads,
    releases: Promise<void>[],
  ): Promise<void> {
    const { ledger, launches, stop } = this.#parts
    const ended = AbortSignal.any([cancelled, stop])
    const isCancelled = () => cancelled.aborted
    let staging = admitted.cancelRequested ? admitted : await this.#firstStep(admitted, log, ended)
    let before: LaunchEnd | undefined
    try {
      while (staging.state === 'running') {
        if (staging.cancelRequested || isCancelled()) {
          await before?.over
          await ledger.cancel(staging.uuid)
          await log.message('Staging was cancelled.')
          return
        }
        const outcome = await launches.run({ ledger, staging, before, log, stop: ended, uploads })
        releases.push(outcome.released)
        before = outcome.end
        if (outcome.kind === 'stopped' && !isCancelled()) {
          await log.message(this.#parts.whyStopped())
          return
        }
        staging = await this.#after(staging, outcome, log, ended)
      }
    } finally {
      // What follows is the end of the log.
      await before?.over.catch(() => undefined)
    }
    if (staging.state === 'succeeded') await log.message(COMPLETE)
  }

  /** Where its launches begin, if it needs any, and may have any. */
  async #firstStep(admitted: Staging, log: LogWriter, signal: AbortSignal): Promise<Staging> {
    const failed = await this.#failedByInterruptions(admitted, log)
    if (failed) return failed
    const answered = await this.#answered(admitted, log)
    if (answered) return answered
    const later = await this.#parts.reuse.takeOver(admitted, this.#parts.ledger, signal)
    if (later) await log.message(takeOverOf(later))
    return later ?? admitted
  }

  /** Undefined if an earlier result does not answer it. */
  async #answered(admitted: Staging, log: LogWriter): Promise<Staging | undefined> {
    const { ledger, reuse } = this.#parts
    try {
      const answered = await reuse.answer(admitted, ledger)
      if (answered?.reused !== undefined) await log.message(reuseOf(answered))
      return answered
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      const failure = failureOfError(undefined, error)
      const failed = await ledger.fail(admitted.uuid, undefined, failure)
      await explainFailure(failure, [], log)
      return failed
    }
  }

  /** Undefined if it has not been interrupted too often: one that ends its node whenever it runs would end one after the other. */
  async #failedByInterruptions(staging: Staging, log: LogWriter): Promise<Staging | undefined> {
    const { interruptions } = staging
    if (interruptions <= INTERRUPTION_LIMIT) return undefined
    const failure = failureOfInterruptions(stagerFqn(currentStager(staging)), interruptions)
    const failed = await this.#parts.ledger.fail(staging.uuid, undefined, failure)
    await explainFailure(failure, [], log)
    return failed
  }

  async #after(staging: Staging, outcome: LaunchOutcome, log: LogWriter, ended: AbortSignal): Promise<Staging> {
    const { engineIsBack } = this.#parts
    switch (outcome.kind) {
      case 'settled':
        return outcome.staging
      case 'stopped':
        return staging
      case 'lost': {
        const failed = await this.#failedByInterruptions(outcome.staging, log)
        if (failed) return failed
        await log.message(
          `The launch was lost (${messageOf(outcome.error)}); the stager is launched again when the Docker Engine is available.`,
        )
        await outcome.released
        // A cancellation does not wait for the Engine: the leftovers of the launch are swept when it answers.
        await untilAborted(ended, engineIsBack(ended))
        return outcome.staging
      }
    }
  }

  /** Whether the staging is another term's, or nobody's. */
  #isLost(error: unknown): boolean {
    if (!isLeaseLost(error)) return false
    this.#parts.leaseLost(error)
    return true
  }

  /**
   * An internal error fails the staging, which would otherwise stay running. Where the database was away, the staging is taken up
   * again as it was recorded. Then this throws `error`.
   */
  async #giveUp(admitted: Staging, error: unknown, log: LogWriter): Promise<void> {
    const { ledger, logger, stop } = this.#parts
    if (this.#isLost(error)) {
      await log.message(this.#parts.whyStopped())
      return
    }
    if (isDatabaseAway(error)) throw error
    logger.error({ err: error, staging: admitted.uuid }, 'a staging cannot continue')
    if (stop.aborted) return
    const current = await ledger.get(admitted.uuid)
    if (current.state !== 'running') return
    const failure = failureOfError(undefined, error)
    await ledger.fail(admitted.uuid, openLaunchOf(current)?.uuid, failure)
    await explainFailure(failure, [], log)
  }
}

/** Waits for `work`, which rejects after an abort, but not after the abort. */
async function untilAborted(signal: AbortSignal, work: Promise<void>): Promise<void> {
  const done = new AbortController()
  // A listener that stays would keep the signal, and with it the staging, for as long as the daemon runs.
  const aborted = once(signal, 'abort', { signal: done.signal })
  await Promise.race([work, aborted]).catch(() => undefined)
  done.abort()
}
