import { Holder } from '../../base/leases.js'
import { orAborted } from '../../base/or-aborted.js'
import type { Ending, RunningContainer } from '../../isolation/isolation.js'
import type { NeedlessRelaunch, Staging, Verdict, WorkingCopy } from '../model/staging.js'
import type { LaunchSecrets } from '../secrets/secrets.js'
import { whyEnded } from './failures.js'
import { FirstCause } from './first-cause.js'
import { LaunchConclusion } from './launch-conclusion.js'
import { LaunchContainer } from './launch-container.js'
import type { LaunchParts, LaunchRequest } from './launch-parts.js'
import { assertOpen, endOf, goesOn, type Earlier, type LaunchCause } from './launch-cause.js'
import type { Conclusion, LaunchEnd, LaunchOutcome } from './launch-outcome.js'
import { LogInTurn } from './log-in-turn.js'
import { launching } from './log-lines.js'
import { needlessRelaunch } from './needless-relaunch.js'
import { currentStager, planLaunch, stagerFqn, type LaunchPlan } from './plan.js'
import { withSecrets } from './plan-with-secrets.js'
import { recordVerdict, type RecordedVerdict } from './record-verdict.js'
import { StagerOutput } from './stager-output.js'
import type { StagingUploads } from './staging-uploads.js'
import { launchEnded, WorkingCopyHandler, type OwningLaunch } from './working-copy-handler.js'

const STOPPED = { kind: 'stopped' } as const

/**
 * One launch, from its plan to its release.
 *
 *   plan ─ beginLaunch ─ prepare ─ listen ─ start ─ launchRunning ─ first cause ─ end of the container ─┬─ conclude
 *                                                                                                       └─ release or keep
 *
 * The first cause is a verdict (`settle`, which the coordinator calls through the handler), the end of the container or
 * what begins to end it, such as its timeout, or `stop`. Only a verdict is recorded while the container runs. The program
 * has a grace period after the other causes, and its requests are refused then.
 *
 * Where the container of a failure is to be kept, the release waits for the record, and is left to `KeptLaunches`.
 */
export class Launch implements OwningLaunch {
  readonly holder = new Holder()
  readonly uploads: StagingUploads
  readonly #parts: LaunchParts
  readonly #staging: Staging
  readonly #log: LogInTurn
  readonly #stop: AbortSignal
  readonly #before: LaunchEnd | undefined
  readonly #stager: string
  readonly #secrets: LaunchSecrets
  readonly #handler: WorkingCopyHandler
  readonly #container: LaunchContainer
  readonly #output: StagerOutput
  readonly #conclusion: LaunchConclusion
  readonly #cause = new FirstCause<LaunchCause>()
  /** Set before the listener opens. */
  #running!: Promise<RunningContainer>
  /** The same. Without the secrets, which are no part of what launches are compared by. */
  #plan!: LaunchPlan

  constructor(parts: LaunchParts, { staging, before, log, stop, uploads }: LaunchRequest, secrets: LaunchSecrets) {
    this.#parts = parts
    this.#staging = staging
    this.#log = new LogInTurn(log, before?.over ?? Promise.resolve())
    this.#stop = stop
    this.#before = before
    this.uploads = uploads
    this.#stager = stagerFqn(currentStager(staging))
    this.#secrets = secrets
    this.#handler = new WorkingCopyHandler(this, staging, parts.workingCopy, secrets.mask)
    this.#container = new LaunchContainer(parts, staging, this.#handler)
    this.#output = new StagerOutput(this.#log, secrets.mask)
    this.#conclusion = new LaunchConclusion(parts, { owner: this, staging, log: this.#log, output: this.#output })
  }

  get uuid(): string {
    return this.#container.uuid
  }

  /** To be called once. */
  async run(): Promise<LaunchOutcome> {
    const { ledger, resolver, workingCopy } = this.#parts
    const staging = this.#staging
    let plan: LaunchPlan
    try {
      // A package of the closure may be deleted before its layer is built.
      plan = await workingCopy.liveBlobs.holdFound(
        this.holder,
        () => resolver.with((catalogue) => planLaunch(staging, this.uuid, catalogue, this.#parts.plan)),
        ({ prepare, start }) => [...prepare.root, ...start.stagerfs].map(({ sha256 }) => sha256),
      )
    } catch (error) {
      await this.#log.turn
      return { ...(await this.#conclusion.neverPlanned(error)), released: Promise.resolve() }
    }
    this.#plan = plan
    plan = withSecrets(plan, this.#secrets)
    this.#conclusion.hints = plan.hints
    await this.#container.takeOver(plan, this.#stop)
    let outcome: LaunchOutcome | undefined
    try {
      // Which may be late, where the Engine can end nothing.
      await orAborted(this.#before?.finished ?? Promise.resolve(), this.#stop).catch(() => undefined)
      if (this.#stop.aborted) {
        const released = this.#container.release()
        await this.#log.turn
        return { ...STOPPED, released }
      }
      this.#container.begin()
      this.#log.begin(...launching(currentStager(staging), plan.withheld))
      const { uuid, step } = staging
      await ledger.beginLaunch(uuid, { uuid: this.uuid, stagerFqn: this.#stager, step, given: plan.given })
      outcome = await this.#execute(plan)
      return outcome
    } catch (error) {
      // Before the execution began.
      await this.#container.release()
      throw error
    } finally {
      if (!outcome?.end) await this.#giveUpBlobs()
    }
  }

  /** The ledger refers to those that the verdict has saved. */
  async #giveUpBlobs(): Promise<void> {
    this.holder.release()
    await this.uploads.discardAll()
  }

  async needlessRelaunch(work: WorkingCopy): Promise<NeedlessRelaunch | undefined> {
    return await needlessRelaunch(this.#parts, this.#staging, this.#plan, work)
  }

  /** Resolves with the container when its start has been recorded. */
  running(): Promise<RunningContainer> {
    return this.#running
  }

  /**
   * Records the verdict unless another cause was first. Resolves after the transaction; then the coordinator answers
   * OK. The cause is decided at once, so the verdict of a program that exits without waiting for the response counts too.
   *
   * A limit that was hit before the verdict is the first cause, although nobody may have noticed it yet: what a killed
   * process should have written may be missing in the result. So is a lost Engine without which that cannot be told, or
   * which may be why the stager has failed.
   *
   * Throws `Conflict` (`launch-over`) if another cause was first, and `Refused` (`package-quota`) if the package would be
   * over its quota; the staging has failed then.
   */
  async settle(verdict: Verdict, work: WorkingCopy): Promise<void> {
    // A stager can post before its start is recorded, but the ledger requires that record first.
    const running = await this.#running
    this.assertOpen()
    const recorded = this.#record(running, verdict, work)
    this.#cause.decide({ kind: 'verdict', recorded })
    const result = await recorded
    if ('earlier' in result) throw launchEnded(whyEnded(result.earlier))
    if (result.refusal) throw result.refusal
  }

  async #record(running: RunningContainer, verdict: Verdict, work: WorkingCopy): Promise<RecordedVerdict | Earlier> {
    // Asked now: what happens while the log waits for its turn comes after the verdict.
    const earlier =
      (await running.causeSoFar()) ?? (verdict === 'failed' ? await this.#conclusion.engineLoss() : undefined)
    // Where the log of the last launch cannot be written, the staging fails.
    await this.#log.turn
    if (earlier) return { earlier }
    // Its result depends on them, and they are no part of what it is compared by.
    const left = this.#secrets.given.size > 0 ? { ...work, unrepeatable: true } : work
    const launch = { staging: this.#staging, launch: this.uuid }
    // Whoever learns of the verdict, at any node, finds the lines that it comes after.
    const shared = this.#log.share().catch((error: unknown) => {
      this.#parts.logger.error(
        { err: error, launch: this.uuid },
        'the log of a staging could not be written before its verdict',
      )
    })
    const [recorded] = await Promise.all([recordVerdict(this.#parts, launch, verdict, left), shared])
    return recorded
  }

  assertOpen(): void {
    assertOpen(this.#cause.first)
  }

  exceedData(limitBytes: number): void {
    this.#cause.decide({ kind: 'data-limit', limitBytes })
  }

  log(text: string): Promise<void> {
    return this.#log.message(this.#secrets.mask?.text(text) ?? text)
  }

  async #execute(plan: LaunchPlan): Promise<LaunchOutcome> {
    let running: RunningContainer
    try {
      this.#running = this.#start(plan)
      running = await this.#running
    } catch (error) {
      const released = this.#container.release()
      await this.#log.turn
      const conclusion = this.#stop.aborted ? STOPPED : await this.#conclusion.neverRan(error)
      return { ...conclusion, released }
    }
    try {
      const first = this.#firstCause(running)
      // A log that cannot be written ends the launch. What else ends it does not wait for the log.
      const cause = await Promise.race([first, this.#log.turn.then(() => first)])
      const ended = endOf(running, cause, this.#parts.graceAfterVerdictMs)
      const next = await goesOn(cause)
      if (next) return { kind: 'settled', staging: next, end: this.#end(running), released: this.#endLater(ended) }
      const ending = await ended
      // What a program that was killed has left may be cut short.
      const cache = cause.kind === 'verdict' && ending.kind === 'exited' ? 'keep' : 'drop'
      if (plan.start.keepable !== true) void this.#container.release(cache)
      await this.#log.turn
      await this.#output.end()
      const conclusion = await this.#conclude(cause, ending)
      if (conclusion.kind === 'settled' && conclusion.staging.state !== 'running')
        void this.#parts.toCome.stagingEnded(this.#staging, plan)
      const released = (await this.#isKept(running, conclusion)) ? Promise.resolve() : this.#container.release(cache)
      return { ...conclusion, released }
    } catch (error) {
      // For instance, the ledger or the log cannot be written. The launch must not leave anything behind.
      await this.#container.release()
      throw error
    }
  }

  /** The next launch need not wait until the Engine has noticed the end of this one. */
  #end(running: RunningContainer): LaunchEnd {
    const finished = running.finished()
    const end = async () => {
      await Promise.all([Promise.race([finished, running.ended]), running.printed])
      // A refusal that comes late gets no line among those of the next launch.
      this.#handler.close()
      await this.#output.end()
    }
    const over = end().finally(() => this.#giveUpBlobs())
    // Who waits for it has something else to wait for first.
    over.catch(() => undefined)
    return { finished, over }
  }

  /** Never rejects. */
  async #endLater(ended: Promise<Ending>): Promise<void> {
    const released = this.#container.release(ended.then(({ kind }) => (kind === 'exited' ? 'keep' : 'drop')))
    await this.#conclusion.exited(await ended).catch((error: unknown) => {
      this.#parts.logger.error({ err: error, launch: this.uuid }, 'the exit code of a stager could not be recorded')
    })
    await released
  }

  async #isKept(running: RunningContainer, conclusion: Conclusion): Promise<boolean> {
    if (conclusion.kind !== 'settled' || conclusion.staging.state !== 'failed' || this.#stop.aborted) return false
    this.#handler.close()
    const { staging } = conclusion
    if (this.#secrets.given.size > 0) {
      if (staging.keepFailedMs !== undefined)
        await this.#log.message('The container is not kept, because the stager was given secrets.')
      return false
    }
    return await this.#parts.kept.keep({ staging, log: this.#log, running, release: () => this.#container.release() })
  }

  async #start(plan: LaunchPlan): Promise<RunningContainer> {
    const running = await this.#container.start(
      plan,
      {
        output: (stream, chunk) => this.#output.push(stream, chunk),
        ending: (cause) => void this.#cause.decide({ kind: 'ended', cause }),
      },
      this.#stop,
    )
    await this.#parts.ledger.launchRunning(this.uuid)
    void this.#parts.toCome.launchBegan(this.#staging, plan, () => this.#cause.first !== undefined)
    return running
  }

  async #firstCause(running: RunningContainer): Promise<LaunchCause> {
    const stopped = () => this.#cause.decide({ kind: 'stopped' })
    this.#stop.addEventListener('abort', stopped)
    if (this.#stop.aborted) stopped()
    void running.ended.then(() => this.#cause.decide({ kind: 'ended' }))
    const cause = await this.#cause.decided
    this.#stop.removeEventListener('abort', stopped)
    return cause
  }

  async #conclude(cause: LaunchCause, ending: Ending): Promise<Conclusion> {
    switch (cause.kind) {
      case 'verdict': {
        const result = await cause.recorded
        return await ('earlier' in result
          ? this.#conclusion.ended(result.earlier)
          : this.#conclusion.settled(result.staging, ending))
      }
      case 'data-limit':
        return await this.#conclusion.overDataLimit(cause.limitBytes, ending)
      case 'stopped':
        return STOPPED
      case 'ended':
        return await this.#conclusion.ended(ending)
    }
  }
}
