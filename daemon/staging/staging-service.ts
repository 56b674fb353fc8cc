import type { Logger } from 'pino'
import { Conflict } from '../../base/errors.js'
import { formatFqn, parseFqn } from '../../base/fqn.js'
import type { PackageRepository, PipelineRepository, Ref, StagerRepository } from '../store/repositories.js'
import type { Janitor } from './janitor.js'
import type { LaunchRunner } from './launch-runner.js'
import type { StagingLedger } from '../store/staging-ledger.js'
import type { LogStore } from '../log/log-store.js'
import { StagingQueue } from './staging-queue.js'
import { StagingRunner } from './staging-runner.js'
import type { Staging, StagingSource } from '../model/staging.js'

export interface StagingServiceParts {
  readonly ledger: StagingLedger
  readonly packages: PackageRepository
  readonly stagers: StagerRepository
  readonly pipelines: PipelineRepository
  readonly janitor: Janitor
  readonly launches: LaunchRunner
  readonly logs: LogStore
  readonly logger: Logger
}

/**
 * The door of the staging service: what people ask for, and what happens at the start and at the end of the daemon.
 *
 * `start` first makes the host agree with the ledger: every trace of launches that no process owns any more is swept,
 * and the stagings they belonged to go on at the launch that was interrupted. Until then nothing is admitted; an Engine
 * that is down delays that, not the daemon. From then on, and once more in the end, the janitor looks after the host.
 */
export class StagingService {
  readonly #parts: StagingServiceParts
  readonly #queue: StagingQueue
  readonly #runner: StagingRunner
  readonly #stop = new AbortController()
  #recovered: Promise<void> | undefined
  #ready = false

  constructor(parts: StagingServiceParts, limit: number) {
    this.#parts = parts
    this.#runner = new StagingRunner({
      ...parts,
      engineIsBack: () => parts.janitor.sweepOnceEngineIsBack(this.#stop.signal),
      stop: this.#stop.signal,
    })
    this.#queue = new StagingQueue(
      limit,
      { admitNext: () => parts.ledger.admitNext(), work: (staging) => this.#runner.run(staging) },
      (error) => parts.logger.error({ err: error }, 'stagings cannot be admitted'),
    )
  }

  /** Whether stagings are admitted: the sweep at the start is over. */
  get ready(): boolean {
    return this.#ready
  }

  start(): void {
    this.#recovered = this.#recover().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#parts.logger.error({ err: error }, 'recovery failed; stagings wait')
    })
  }

  /** Running launches are ended and undone; their stagings go on at the next start. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#recovered
    await this.#queue.close()
    await this.#parts.janitor.sweepForTheLastTime()
  }

  /**
   * Throws `NotFound` for a package, pipeline or stager that is not there, `Conflict` (`package-busy`,
   * `package-empty`).
   */
  async submit(packageRef: Ref, pipelineRef: Ref, source?: StagingSource): Promise<Staging> {
    const { ledger, packages, pipelines, stagers } = this.#parts
    const subject = await packages.get(packageRef)
    const pipeline = await pipelines.get(pipelineRef)
    const staging = await ledger.submit({
      packageUuid: subject.uuid,
      pipelineFqn: formatFqn('stagpipe', pipeline),
      stagers: await Promise.all(pipeline.stagers.map((uuid) => stagers.get({ uuid }))),
      source,
    })
    this.#queue.notify()
    return staging
  }

  /** Throws `Conflict` (`staging-ended`) for one that has ended. */
  async cancel(uuid: string): Promise<Staging> {
    const staging = await this.#parts.ledger.requestCancel(uuid)
    if (staging.state === 'running') this.#runner.cancel(uuid)
    else await this.#sayCancelled(uuid)
    return staging
  }

  /** The same package, or source of it, through the same pipeline, as both are now, from the beginning. */
  async retry(uuid: string): Promise<Staging> {
    const staging = await this.#parts.ledger.get(uuid)
    if (staging.state !== 'failed' && staging.state !== 'cancelled')
      throw new Conflict(
        'staging-not-failed',
        `Staging ${uuid} is ${staging.state}: only one that failed or was cancelled can be retried.`,
      )
    const pipeline = parseFqn(staging.pipelineFqn, 'stagpipe', '/')
    return await this.submit({ uuid: staging.packageUuid }, pipeline, staging.source)
  }

  /** For one that waited, and so has no log yet. */
  async #sayCancelled(uuid: string): Promise<void> {
    const log = await this.#parts.logs.write(uuid)
    await log.message('Staging was cancelled before it began.')
    await log.close()
  }

  async #recover(): Promise<void> {
    const { janitor, ledger, logger } = this.#parts
    await janitor.sweepOnceEngineIsBack(this.#stop.signal)
    void janitor.keepSweeping(this.#stop.signal)
    const interrupted: Staging[] = []
    for (const staging of await ledger.running()) {
      const open = staging.launches.find(({ state }) => state === 'starting' || state === 'running')
      interrupted.push(open ? await ledger.abortLaunch(open.uuid) : staging)
    }
    if (interrupted.length > 0) logger.info({ stagings: interrupted.length }, 'interrupted stagings go on')
    this.#ready = true
    this.#queue.open(interrupted)
  }
}
