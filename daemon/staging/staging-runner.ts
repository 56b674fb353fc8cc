import type { Logger } from 'pino'
import { messageOf } from '../../base/errors.js'
import { explainFailure } from './explain-failure.js'
import { failureOfError, failureOfInterruptions } from './failures.js'
import type { LaunchRunner } from './launch-runner.js'
import type { LaunchOutcome } from './launch.js'
import type { StagingLedger } from '../store/staging-ledger.js'
import type { LogStore } from '../log/log-store.js'
import type { LogWriter } from '../log/log-writer.js'
import { currentStager, stagerFqn } from './plan.js'
import { INTERRUPTION_LIMIT, type Staging } from '../model/staging.js'

export interface StagingRunnerParts {
  readonly ledger: StagingLedger
  readonly launches: LaunchRunner
  readonly logs: LogStore
  readonly logger: Logger
  /** Resolves when the Engine answers and the leftovers of lost launches are removed. */
  readonly engineIsBack: () => Promise<void>
  /** Aborted when the daemon ends: running launches are ended without a record, and their stagings continue at the next start. */
  readonly stop: AbortSignal
}

/** Runs the launches of a staging, one after the other, until it ends. */
export class StagingRunner {
  readonly #parts: StagingRunnerParts
  readonly #cancellations = new Map<string, AbortController>()

  constructor(parts: StagingRunnerParts) {
    this.#parts = parts
  }

  /** Ends the running launch of a staging. The cancellation is in the ledger by then. */
  cancel(staging: string): void {
    this.#cancellations.get(staging)?.abort()
  }

  /**
   * Starts at the first launch, or at the one that was interrupted. Resolves when everything of every launch is released.
   * Never rejects.
   */
  async run(admitted: Staging): Promise<void> {
    const { logs, logger } = this.#parts
    const cancellation = new AbortController()
    this.#cancellations.set(admitted.uuid, cancellation)
    const released: Promise<void>[] = []
    try {
      const log = await logs.write(admitted.uuid)
      try {
        await this.#logStart(admitted, log)
        await this.#launchUntilEnded(admitted, log, cancellation.signal, released)
      } catch (error) {
        logger.error({ err: error, staging: admitted.uuid }, 'a staging cannot continue')
        await this.#giveUp(admitted, error, log)
      } finally {
        await log.close()
      }
    } catch (error) {
      logger.error({ err: error, staging: admitted.uuid }, 'a staging cannot be ended; it continues at the next start')
    } finally {
      this.#cancellations.delete(admitted.uuid)
      await Promise.all(released)
    }
  }

  async #logStart(staging: Staging, log: LogWriter): Promise<void> {
    if (staging.launches.length > 0) {
      await log.message('stagerd was restarted; staging continues with the launch that was interrupted.')
      return
    }
    await log.message(
      `Beginning staging with '${staging.pipelineFqn}' pipeline, ${staging.stagers.length} stager(s) defined.`,
    )
  }

  async #launchUntilEnded(
    admitted: Staging,
    log: LogWriter,
    cancelled: AbortSignal,
    released: Promise<void>[],
  ): Promise<void> {
    const { ledger, launches, stop } = this.#parts
    const ended = AbortSignal.any([cancelled, stop])
    const isCancelled = () => cancelled.aborted
    let staging = admitted
    while (staging.state === 'running') {
      if (staging.cancelRequested || isCancelled()) {
        await ledger.cancel(staging.uuid)
        await log.message('Staging was cancelled.')
        return
      }
      const outcome = await launches.run(staging, log, ended)
      released.push(outcome.released)
      if (outcome.kind === 'stopped' && !isCancelled()) {
        await log.message('stagerd is stopping; staging continues when it is started again.')
        return
      }
      staging = await this.#after(staging, outcome, log, ended)
    }
    if (staging.state === 'succeeded') await log.message('Staging is complete.')
  }

  async #after(staging: Staging, outcome: LaunchOutcome, log: LogWriter, ended: AbortSignal): Promise<Staging> {
    const { ledger, engineIsBack } = this.#parts
    switch (outcome.kind) {
      case 'settled':
        return outcome.staging
      case 'stopped':
        return staging
      case 'lost': {
        const { interruptions } = outcome.staging
        if (interruptions > INTERRUPTION_LIMIT) {
          const failure = failureOfInterruptions(stagerFqn(currentStager(staging)), interruptions)
          const failed = await ledger.fail(staging.uuid, undefined, failure)
          await explainFailure(failure, [], log)
          return failed
        }
        await log.message(
          `The launch was lost (${messageOf(outcome.error)}); the stager is launched again when the Docker Engine is available.`,
        )
        await outcome.released
        // A cancellation does not wait for the Engine: the leftovers of the launch are swept when it answers.
        await Promise.race([engineIsBack(), untilAborted(ended)])
        return outcome.staging
      }
    }
  }

  /** An internal error fails the staging, which would otherwise stay running. */
  async #giveUp(admitted: Staging, error: unknown, log: LogWriter): Promise<void> {
    const { ledger, stop } = this.#parts
    if (stop.aborted) return
    const current = await ledger.get(admitted.uuid)
    if (current.state !== 'running') return
    const failure = failureOfError(undefined, error)
    const open = current.launches.find(({ state }) => state === 'starting' || state === 'running')
    await ledger.fail(admitted.uuid, open?.uuid, failure)
    await explainFailure(failure, [], log)
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
