import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { Unavailable } from '../../base/errors.js'
import { settleAll } from '../../base/settle-all.js'
import type { Ending, Isolation, PreparedContainer, RunningContainer } from '../../isolation/isolation.js'
import type { CoordinatorListener } from '../coordinator/coordinator-listener.js'
import type { Coordinator } from '../coordinator/coordinator.js'
import type { LogWriter } from '../log/log-writer.js'
import { RELAUNCH_LIMIT, type Failure, type Staging, type Verdict, type WorkingCopy } from '../model/staging.js'
import type { Resolver } from '../resolver/resolver.js'
import type { StagingLedger } from '../store/staging-ledger.js'
import { explainFailure } from './explain-failure.js'
import { failureOfEnding, failureOfError, failureOfRelaunches, failureOfVerdict } from './failures.js'
import { FirstCause } from './first-cause.js'
import type { Janitor } from './janitor.js'
import type { LiveContainers } from './live-containers.js'
import { currentStager, planLaunch, stagerFqn, type LaunchPlan, type PlanSettings } from './plan.js'
import { StagerOutput } from './stager-output.js'
import { launchOver, WorkingCopyHandler, type OwningLaunch, type WorkingCopyParts } from './working-copy-handler.js'

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

export interface LaunchRequest {
  readonly staging: Staging
  readonly log: LogWriter
  /** Ends the launch without a verdict, because of a cancellation or the end of the daemon. */
  readonly stop: AbortSignal
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

/** What ended a launch. */
type Cause =
  /** `recorded` is the staging after the transaction of the verdict. */
  | { readonly kind: 'verdict'; readonly recorded: Promise<Staging> }
  /** The container ended, and there was no verdict. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'stopped' }

/**
 * One launch, from its plan to its release.
 *
 *   plan ─ beginLaunch ─ prepare ─ listen ─ start ─ launchRunning ─ first cause ─ end of the container ─┬─ conclude
 *                                                                                                       └─ release
 *
 * The first cause is a verdict (`settle`, which the coordinator calls through the handler), the end of the container, or
 * `stop`. Only a verdict is recorded while the container runs.
 */
export class Launch implements OwningLaunch {
  readonly uuid = randomUUID()
  readonly #parts: LaunchParts
  readonly #staging: Staging
  readonly #log: LogWriter
  readonly #stop: AbortSignal
  readonly #stager: string
  readonly #handler: WorkingCopyHandler
  readonly #output: StagerOutput
  readonly #cause = new FirstCause<Cause>()
  #container: PreparedContainer | undefined
  #listener: CoordinatorListener | undefined
  /** Set before the listener is open. */
  #running!: Promise<RunningContainer>
  /** Until a program runs there is none to wait for. */
  #ended: Promise<unknown> = Promise.resolve()
  #released: Promise<void> | undefined

  constructor(parts: LaunchParts, { staging, log, stop }: LaunchRequest) {
    this.#parts = parts
    this.#staging = staging
    this.#log = log
    this.#stop = stop
    this.#stager = stagerFqn(currentStager(staging))
    this.#handler = new WorkingCopyHandler(this, staging, parts.workingCopy)
    this.#output = new StagerOutput(log)
  }

  /** To be called once. */
  async run(): Promise<LaunchOutcome> {
    const { ledger, live, resolver, workingCopy } = this.#parts
    const staging = this.#staging
    let plan: LaunchPlan
    try {
      plan = await resolver.with((catalogue) => planLaunch(staging, this.uuid, catalogue, this.#parts.plan))
    } catch (error) {
      const failed = await this.#fail(undefined, failureOfError(this.#stager, error))
      return { kind: 'settled', staging: failed, released: Promise.resolve() }
    }
    try {
      // A package of the closure may be deleted before its layer is made.
      for (const { sha256 } of [...plan.prepare.root, ...plan.start.stagerfs])
        workingCopy.liveBlobs.hold(sha256, this.uuid)
      await this.#log.message(`Launching instance of stager '${currentStager(staging).name}'...`)
      await ledger.beginLaunch(staging.uuid, { uuid: this.uuid, stagerFqn: this.#stager, step: staging.step })
      live.add(this.uuid)
      return await this.#carryOut(plan)
    } finally {
      // What its verdict has kept is named by the ledger by now.
      workingCopy.liveBlobs.release(this.uuid)
    }
  }

  /** The container, once its start is recorded. */
  running(): Promise<RunningContainer> {
    return this.#running
  }

  /**
   * The verdict, if no other cause was first, and its transaction; then the stager is told OK. The cause is taken when the
   * transaction begins: a program that posts and exits without waiting has given its verdict all the same.
   */
  async settle(verdict: Verdict, work: WorkingCopy): Promise<void> {
    // A stager can be faster than the record of its start, which the ledger wants first.
    await this.#running
    if (this.#cause.taken) throw launchOver()
    const recorded = this.#record(verdict, work)
    this.#cause.take({ kind: 'verdict', recorded })
    await recorded
  }

  log(text: string): Promise<void> {
    return this.#log.message(text)
  }

  async #carryOut(plan: LaunchPlan): Promise<LaunchOutcome> {
    let running: RunningContainer
    try {
      this.#running = this.#start(plan)
      running = await this.#running
    } catch (error) {
      await this.#release()
      return { ...(await this.#neverRan(error)), released: Promise.resolve() }
    }
    try {
      const cause = await this.#firstCause(running)
      const ending = await this.#endOf(running, cause)
      const released = this.#release()
      await this.#output.end()
      return { ...(await this.#conclude(cause, ending)), released }
    } catch (error) {
      // The ledger or the log cannot be written, say: what was launched must not stay behind all the same.
      await this.#release()
      throw error
    }
  }

  async #start({ prepare, start }: LaunchPlan): Promise<RunningContainer> {
    const { coordinator, isolation, ledger, logger } = this.#parts
    const step = (name: string, ms: number) => logger.debug({ launch: this.uuid, step: name, ms }, 'launch step')
    // The layers of /stagerfs are not needed before `start`, but to make them for the first time takes as long as to
    // make those of the root.
    const [container] = await settleAll([
      isolation.prepare(prepare, { step }, this.#stop).then((prepared) => (this.#container = prepared)),
      ...start.stagerfs.map((source) => isolation.materialise(source, this.#stop)),
    ])
    const began = performance.now()
    const listener = await coordinator.open(this.#handler, container.address)
    this.#listener = listener
    step('listener', performance.now() - began)
    const running = await container.start(
      { ...start, environment: { ...start.environment, STAGER_URL: listener.url }, coordinatorPort: listener.port },
      {
        output: (stream, chunk) => this.#output.push(stream, chunk),
        repaired: (what) =>
          logger.warn({ launch: this.uuid, what }, 'somebody removed what a launch needs; it is there again'),
      },
      this.#stop,
    )
    this.#ended = running.ended
    await ledger.launchRunning(this.uuid)
    return running
  }

  async #firstCause(running: RunningContainer): Promise<Cause> {
    const stopped = () => this.#cause.take({ kind: 'stopped' })
    this.#stop.addEventListener('abort', stopped)
    if (this.#stop.aborted) stopped()
    void running.ended.then(() => this.#cause.take({ kind: 'ended' }))
    const cause = await this.#cause.decided
    this.#stop.removeEventListener('abort', stopped)
    return cause
  }

  /** After a verdict the stager may finish its last words, and is ended if it does not. */
  async #endOf(running: RunningContainer, cause: Cause): Promise<Ending> {
    const stop = () => running.stop()
    if (cause.kind === 'stopped') stop()
    const timer = cause.kind === 'verdict' ? setTimeout(stop, this.#parts.graceAfterVerdictMs) : undefined
    const ending = await running.ended
    clearTimeout(timer)
    return ending
  }

  async #conclude(cause: Cause, ending: Ending): Promise<Conclusion> {
    const { ledger } = this.#parts
    switch (cause.kind) {
      case 'verdict': {
        const staging = await cause.recorded
        if (ending.kind === 'exited') await ledger.recordExit(this.uuid, ending.exitCode)
        if (staging.failure) await explainFailure(staging.failure, this.#output.lastLines, this.#log)
        return { kind: 'settled', staging }
      }
      case 'stopped':
        return { kind: 'stopped' }
      case 'ended':
        if (ending.kind === 'stopped') return { kind: 'stopped' }
        if (ending.kind === 'engine-lost')
          return { kind: 'lost', staging: await ledger.abortLaunch(this.uuid), error: ending.error }
        return { kind: 'settled', staging: await this.#fail(this.uuid, failureOfEnding(this.#stager, ending)) }
    }
  }

  async #neverRan(error: unknown): Promise<Conclusion> {
    const { ledger, logger } = this.#parts
    if (this.#stop.aborted) return { kind: 'stopped' }
    if (error instanceof Unavailable && error.code === 'engine-down')
      return { kind: 'lost', staging: await ledger.abortLaunch(this.uuid), error }
    logger.warn({ err: error, staging: this.#staging.uuid, launch: this.uuid }, 'a launch could not be made')
    return { kind: 'settled', staging: await this.#fail(this.uuid, failureOfError(this.#stager, error)) }
  }

  async #record(verdict: Verdict, work: WorkingCopy): Promise<Staging> {
    const { ledger } = this.#parts
    const { uuid, step, stagers, relaunches } = this.#staging
    switch (verdict) {
      case 'done':
        return await (step + 1 < stagers.length ? ledger.advance(this.uuid, work) : ledger.succeed(this.uuid, work))
      case 'failed':
        return await ledger.fail(uuid, this.uuid, failureOfVerdict(this.#stager))
      case 'relaunch':
        return await (relaunches < RELAUNCH_LIMIT
          ? ledger.relaunch(this.uuid, work)
          : ledger.fail(uuid, this.uuid, failureOfRelaunches(this.#stager)))
    }
  }

  /** @param launch undefined when none was begun */
  async #fail(launch: string | undefined, failure: Failure): Promise<Staging> {
    // The record first: a log that cannot be written, on a full disk say, must not leave a staging that never ends.
    const failed = await this.#parts.ledger.fail(this.#staging.uuid, launch, failure)
    await explainFailure(failure, this.#output.lastLines, this.#log)
    return failed
  }

  #release(): Promise<void> {
    this.#released ??= this.#undo()
    return this.#released
  }

  async #undo(): Promise<void> {
    const { janitor, live, logger } = this.#parts
    this.#handler.close()
    const [report] = await Promise.all([
      this.#container?.release(),
      // Not before: as long as the container runs, nobody else must get the port that it can reach.
      this.#ended.then(() => this.#listener?.close()),
    ])
    live.delete(this.uuid)
    if (!report || report.failures.length === 0) return
    for (const { what, error } of report.failures)
      logger.error({ err: error, launch: this.uuid, what }, 'something of a launch could not be undone')
    await janitor.trySweep()
  }
}
