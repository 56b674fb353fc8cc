import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { Deferred } from '../../base/deferred.js'
import { Unavailable } from '../../base/errors.js'
import type { Ending, Isolation, LaunchHooks, RunningLaunch } from '../../isolation/isolation.js'
import type { LaunchPlan } from '../../isolation/launch-plan.js'
import type { Coordinator } from '../coordinator/coordinator.js'
import type { Resolver } from '../resolver/resolver.js'
import { WorkingCopyHandler, launchOver, type WorkingCopyParts } from './working-copy-handler.js'
import { explainFailure } from './explain-failure.js'
import { failureOfEnding, failureOfError, failureOfRelaunches, failureOfVerdict } from './failures.js'
import { FirstCause } from './first-cause.js'
import type { StagingLedger } from '../store/staging-ledger.js'
import type { Janitor } from './janitor.js'
import type { LiveContainers } from './live-containers.js'
import type { LogWriter } from '../log/log-writer.js'
import { currentStager, planLaunch, stagerFqn, type PlanSettings } from './plan.js'
import { StagerOutput } from './stager-output.js'
import { RELAUNCH_LIMIT, type Failure, type Staging, type Verdict, type WorkingCopy } from '../model/staging.js'

export interface LaunchParts {
  readonly isolation: Isolation
  readonly coordinator: Coordinator
  readonly ledger: StagingLedger
  readonly resolver: Resolver
  readonly workingCopy: WorkingCopyParts
  readonly plan: PlanSettings
  readonly live: LiveContainers
  readonly janitor: Pick<Janitor, 'trySweep'>
  readonly logger: Logger
  /** How long a stager may go on after its verdict before it is ended, in milliseconds: time for its last words. */
  readonly graceAfterVerdictMs: number
}

type Conclusion =
  | { readonly kind: 'settled'; readonly staging: Staging }
  /** By `stop`: nothing is recorded yet. */
  | { readonly kind: 'stopped' }
  /** A fault of the host, nothing of the stager; the launch is recorded as aborted. */
  | { readonly kind: 'lost'; readonly staging: Staging; readonly error: Error }

export type LaunchOutcome = Conclusion & {
  /** When everything that the launch had made is undone; never rejects. */
  readonly released: Promise<void>
}

type CauseOfEnd =
  | { readonly kind: 'verdict'; readonly recorded: Promise<Staging> }
  | { readonly kind: 'ending'; readonly ending: Ending }
  | { readonly kind: 'stopped' }

interface BegunLaunch {
  readonly staging: Staging
  readonly launch: string
  readonly handler: WorkingCopyHandler
  readonly output: StagerOutput
  readonly cause: FirstCause<CauseOfEnd>
  readonly started: Deferred<RunningLaunch>
  readonly log: LogWriter
  readonly stop: AbortSignal
}

/** One launch, from its plan to its undo: steps two to nine of the life of a launch. */
export class LaunchRunner {
  readonly #parts: LaunchParts

  constructor(parts: LaunchParts) {
    this.#parts = parts
  }

  /** @param stop ends the launch without a verdict, because of a cancellation or the end of the daemon */
  async run(staging: Staging, log: LogWriter, stop: AbortSignal): Promise<LaunchOutcome> {
    const launch = randomUUID()
    try {
      return await this.#run(staging, launch, log, stop)
    } finally {
      // What its verdict has kept is named by the ledger by now.
      this.#parts.workingCopy.liveBlobs.release(launch)
    }
  }

  async #run(staging: Staging, launch: string, log: LogWriter, stop: AbortSignal): Promise<LaunchOutcome> {
    const { ledger, resolver, isolation, live } = this.#parts
    const stager = currentStager(staging)
    const fqn = stagerFqn(stager)
    let plan: LaunchPlan
    try {
      plan = await resolver.with((catalogue) => planLaunch(staging, launch, catalogue, this.#parts.plan))
    } catch (error) {
      const failed = await this.#fail(staging, undefined, failureOfError(fqn, error), log)
      return { kind: 'settled', staging: failed, released: Promise.resolve() }
    }

    // A package of the closure may be deleted before its layer is made.
    for (const { sha256 } of [...plan.root, ...plan.stagerfs]) this.#parts.workingCopy.liveBlobs.hold(sha256, launch)
    await log.message(`Launching instance of stager '${stager.name}'...`)
    await ledger.beginLaunch(staging.uuid, { uuid: launch, stagerFqn: fqn, step: staging.step })
    live.add(launch)

    const cause = new FirstCause<CauseOfEnd>()
    const started = new Deferred<RunningLaunch>()
    const hooks = { settle: this.#settle(staging, launch, cause), log: (text: string) => log.message(text) }
    const handler = new WorkingCopyHandler(launch, staging, started.promise, hooks, this.#parts.workingCopy)
    const output = new StagerOutput(log)

    let running: RunningLaunch
    try {
      running = await isolation.launch(plan, this.#hooks(handler, output), stop)
    } catch (error) {
      started.reject(error)
      live.delete(launch)
      return await this.#neverRan(staging, launch, error, log, stop)
    }
    try {
      return await this.#follow(running, { staging, launch, handler, output, cause, started, log, stop })
    } catch (error) {
      // The ledger or the log cannot be written, say: what was launched must not stay behind all the same.
      started.reject(error)
      handler.close()
      await this.#release(running, launch)
      throw error
    }
  }

  /** From the start of the program to its end, and what follows from it. */
  async #follow(running: RunningLaunch, begun: BegunLaunch): Promise<LaunchOutcome> {
    const { staging, launch, handler, output, cause, started, log, stop } = begun
    await this.#parts.ledger.launchRunning(launch)
    started.resolve(running)

    const stopped = () => cause.take({ kind: 'stopped' })
    stop.addEventListener('abort', stopped)
    if (stop.aborted) stopped()
    void running.ended.then((ending) => cause.take({ kind: 'ending', ending }))

    const decided = await cause.decided
    stop.removeEventListener('abort', stopped)
    const ending = await this.#endOf(running, decided)
    handler.close()
    await output.end()
    const released = this.#release(running, launch)
    return { ...(await this.#conclude(staging, launch, decided, ending, output, log)), released }
  }

  /**
   * The verdict, if no other cause was first, and its transaction; then the stager is told OK. The cause is taken before
   * the transaction begins: a program that posts and exits without waiting has given its verdict all the same.
   */
  #settle(staging: Staging, launch: string, cause: FirstCause<CauseOfEnd>) {
    return async (verdict: Verdict, work: WorkingCopy): Promise<void> => {
      const recorded = new Deferred<Staging>()
      if (!cause.take({ kind: 'verdict', recorded: recorded.promise })) throw launchOver()
      this.#record(staging, launch, verdict, work).then(recorded.resolve, recorded.reject)
      await recorded.promise
    }
  }

  #record(staging: Staging, launch: string, verdict: Verdict, work: WorkingCopy): Promise<Staging> {
    const { ledger } = this.#parts
    const fqn = stagerFqn(currentStager(staging))
    switch (verdict) {
      case 'done':
        return staging.step + 1 < staging.stagers.length ? ledger.advance(launch, work) : ledger.succeed(launch, work)
      case 'failed':
        return ledger.fail(staging.uuid, launch, failureOfVerdict(fqn))
      case 'relaunch':
        return staging.relaunches >= RELAUNCH_LIMIT
          ? ledger.fail(staging.uuid, launch, failureOfRelaunches(fqn))
          : ledger.relaunch(launch, work)
    }
  }

  /** After a verdict the stager may finish its last words, and is ended if it does not. */
  async #endOf(running: RunningLaunch, decided: CauseOfEnd): Promise<Ending> {
    switch (decided.kind) {
      case 'ending':
        return decided.ending
      case 'stopped':
        running.stop()
        return await running.ended
      case 'verdict': {
        const timer = setTimeout(() => running.stop(), this.#parts.graceAfterVerdictMs)
        const ending = await running.ended
        clearTimeout(timer)
        return ending
      }
    }
  }

  async #conclude(
    staging: Staging,
    launch: string,
    decided: CauseOfEnd,
    ending: Ending,
    output: StagerOutput,
    log: LogWriter,
  ): Promise<Conclusion> {
    const { ledger } = this.#parts
    switch (decided.kind) {
      case 'stopped':
        return { kind: 'stopped' }
      case 'verdict': {
        const settled = await decided.recorded
        if (ending.kind === 'exited') await ledger.recordExit(launch, ending.exitCode)
        if (settled.failure) await explainFailure(settled.failure, output.lastLines, log)
        return { kind: 'settled', staging: settled }
      }
      case 'ending': {
        const { ending: end } = decided
        if (end.kind === 'stopped') return { kind: 'stopped' }
        if (end.kind === 'engine-lost')
          return { kind: 'lost', staging: await ledger.abortLaunch(launch), error: end.error }
        const failure = failureOfEnding(stagerFqn(currentStager(staging)), end)
        return { kind: 'settled', staging: await this.#fail(staging, launch, failure, log, output.lastLines) }
      }
    }
  }

  async #neverRan(
    staging: Staging,
    launch: string,
    error: unknown,
    log: LogWriter,
    stop: AbortSignal,
  ): Promise<LaunchOutcome> {
    const { ledger, logger } = this.#parts
    const released = Promise.resolve()
    if (stop.aborted) return { kind: 'stopped', released }
    if (error instanceof Unavailable && error.code === 'engine-down')
      return { kind: 'lost', staging: await ledger.abortLaunch(launch), error, released }
    logger.warn({ err: error, staging: staging.uuid, launch }, 'a launch could not be made')
    const failure = failureOfError(stagerFqn(currentStager(staging)), error)
    return { kind: 'settled', staging: await this.#fail(staging, launch, failure, log), released }
  }

  async #fail(
    staging: Staging,
    launch: string | undefined,
    failure: Failure,
    log: LogWriter,
    lastLines: readonly string[] = [],
  ): Promise<Staging> {
    // The record first: a log that cannot be written, on a full disk say, must not leave a staging that never ends.
    const failed = await this.#parts.ledger.fail(staging.uuid, launch, failure)
    await explainFailure(failure, lastLines, log)
    return failed
  }

  async #release(running: RunningLaunch, launch: string): Promise<void> {
    const { janitor, live, logger } = this.#parts
    const { failures } = await running.release()
    live.delete(launch)
    if (failures.length === 0) return
    for (const { what, error } of failures)
      logger.error({ err: error, launch, what }, 'something of a launch could not be undone')
    await janitor.trySweep()
  }

  #hooks(handler: WorkingCopyHandler, output: StagerOutput): LaunchHooks {
    const { coordinator, logger } = this.#parts
    return {
      listen: (address) => coordinator.open(handler, address),
      output: (stream, chunk) => output.push(stream, chunk),
      step: (step, ms) => logger.debug({ launch: handler.launch, step, ms }, 'launch step'),
      repaired: (what) =>
        logger.warn({ launch: handler.launch, what }, 'somebody removed what a launch needs; it is there again'),
    }
  }
}
