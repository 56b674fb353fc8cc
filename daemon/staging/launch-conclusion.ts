import type { Logger } from 'pino'
import { StagerdError, Unavailable } from '../../base/errors.js'
import type { Ending, ForcedEnding, Isolation } from '../../isolation/isolation.js'
import type { LogWriter } from '../log/log-writer.js'
import type { Failure, Staging } from '../model/staging.js'
import { isDatabaseAway } from '../store/database-away.js'
import type { NodeLedger } from '../store/node-ledger.js'
import { explainFailure } from './explain-failure.js'
import { failureOfDataLimit, failureOfEnding, failureOfError } from './failures.js'
import { hintOfFailure } from './hints/hint-of-failure.js'
import type { HintContext } from './hints/hint-rule.js'
import type { Conclusion } from './launch-outcome.js'
import { currentStager, stagerFqn } from './plan.js'
import type { StagerOutput } from './stager-output.js'

export interface ConclusionParts {
  readonly ledger: NodeLedger
  readonly isolation: Pick<Isolation, 'ping'>
  readonly logger: Logger
}

export interface ConcludedLaunch {
  /** Its UUID is decided when it is planned. */
  readonly owner: { readonly uuid: string }
  readonly staging: Staging
  readonly log: Pick<LogWriter, 'message'>
  readonly output: StagerOutput
}

/**
 * Records how a launch ended, and explains a failure in the log of its staging.
 *
 * What goes wrong while the Engine is away is not the stager's fault: such a launch is lost, and run again.
 */
export class LaunchConclusion {
  readonly #parts: ConclusionParts
  readonly #launch: ConcludedLaunch
  readonly #stager: string
  /** Set when the launch is planned. */
  hints: HintContext | undefined

  constructor(parts: ConclusionParts, launch: ConcludedLaunch) {
    this.#parts = parts
    this.#launch = launch
    this.#stager = stagerFqn(currentStager(launch.staging))
  }

  /** `beginLaunch` was not called. Throws `error` where the database was away. */
  async neverPlanned(error: unknown): Promise<Conclusion> {
    if (isDatabaseAway(error)) throw error
    return await this.#failed(undefined, failureOfError(this.#stager, error))
  }

  /** The container could not be prepared or started. Throws `error` where the database was away. */
  async neverRan(error: unknown): Promise<Conclusion> {
    if (isDatabaseAway(error)) throw error
    const { owner, staging } = this.#launch
    const { uuid } = owner
    if (isOfEngine(error)) return await this.#lost(error)
    // A refusal, or a connection that breaks in the middle, can be the first sign of an Engine that stops.
    const loss = isOfHost(error) ? await this.engineLoss() : undefined
    if (loss) return await this.#lost(loss.error)
    this.#parts.logger.warn({ err: error, staging: staging.uuid, launch: uuid }, 'a launch could not be started')
    return await this.#failed(uuid, failureOfError(this.#stager, error))
  }

  /** @param recorded the staging after the transaction of the verdict */
  async settled(recorded: Staging, ending: Ending): Promise<Conclusion> {
    await this.exited(ending)
    return { kind: 'settled', staging: await this.#explain(recorded, ending) }
  }

  /** After its verdict. */
  async exited(ending: Ending): Promise<void> {
    if (ending.kind === 'exited') await this.#parts.ledger.recordExit(this.#launch.owner.uuid, ending.exitCode)
  }

  /** It has no verdict. */
  async ended(ending: Ending): Promise<Conclusion> {
    switch (ending.kind) {
      case 'stopped':
        return { kind: 'stopped' }
      case 'engine-lost':
        return await this.#lost(ending.error)
      case 'exited':
      case 'not-runnable': {
        // An Engine that stops ends its containers, and may still tell of that.
        const loss = await this.engineLoss()
        if (loss) return await this.#lost(loss.error)
        break
      }
      case 'timeout':
      case 'out-of-memory':
      case 'disk-full':
      case 'pids-limit':
      case 'limits-unknown':
        break
    }
    return await this.#failed(this.#launch.owner.uuid, failureOfEnding(this.#stager, ending), ending)
  }

  async overDataLimit(limitBytes: number, ending: Ending): Promise<Conclusion> {
    return await this.#failed(this.#launch.owner.uuid, failureOfDataLimit(this.#stager, limitBytes), ending)
  }

  /** Undefined if the Engine answers. */
  async engineLoss(): Promise<Extract<ForcedEnding, { kind: 'engine-lost' }> | undefined> {
    try {
      await this.#parts.isolation.ping()
      return undefined
    } catch (error) {
      return error instanceof Unavailable ? { kind: 'engine-lost', error } : undefined
    }
  }

  async #lost(error: Error): Promise<Conclusion> {
    return { kind: 'lost', staging: await this.#parts.ledger.abortLaunch(this.#launch.owner.uuid), error }
  }

  async #failed(launch: string | undefined, failure: Failure, ending?: Ending): Promise<Conclusion> {
    // The record comes first, so that the staging ends even if the log cannot be written, for instance on a full disk.
    const staging = await this.#parts.ledger.fail(this.#launch.staging.uuid, launch, failure)
    return { kind: 'settled', staging: await this.#explain(staging, ending) }
  }

  /** The reason of a failure is looked for when all output is there, which may be later than the verdict. */
  async #explain(staging: Staging, ending?: Ending): Promise<Staging> {
    const { failure } = staging
    if (!failure) return staging
    const { output, log } = this.#launch
    const exitCode = ending?.kind === 'exited' ? ending.exitCode : undefined
    const hint = this.hints && hintOfFailure(failure, output.tail, { ...this.hints, exitCode })
    const explained = hint === undefined ? staging : await this.#parts.ledger.replaceHint(staging.uuid, hint)
    await explainFailure({ ...failure, hint: hint ?? failure.hint }, output.lastLines, log)
    return explained
  }
}

/**
 * Whether another attempt can succeed. An Engine that answers has not recovered for that: after a pause, its connections to
 * containerd may be gone, and it answers 500 for a while.
 */
function isOfEngine(error: unknown): error is StagerdError {
  const codes = ['engine-down', 'engine-changed', 'engine-error']
  return error instanceof StagerdError && codes.includes(error.code)
}

/** Whether neither the stager nor its packages are to blame. */
function isOfHost(error: unknown): boolean {
  return !(error instanceof StagerdError) || error.kind === 'fault' || error.kind === 'unavailable'
}
