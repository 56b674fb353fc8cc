import { formatFqn, parseFqn } from '../../base/fqn.js'
import type { Limits } from '../../isolation/launch-plan.js'
import type { PackageRepository, PipelineRepository, Ref, StagerRepository } from '../store/repositories.js'
import type { Janitor } from './janitor.js'
import type { KeptLaunches } from './kept-launches.js'
import type { PreparedLaunches } from './prepared-launches.js'
import type { LaunchesToCome } from './launches-to-come.js'
import type { StagingLedger, SubmitStaging } from '../store/staging-ledger.js'
import { StagingNode, type StagingNodeParts } from './staging-node.js'
import type { Secrets } from '../secrets/secrets.js'
import type { Staging, StagingSource } from '../model/staging.js'
import type { Receiver } from '../model/webhook.js'
import { beginning, COMPLETE, reuseOf } from './log-lines.js'
import { explanationOf } from './explain-failure.js'
import { failureOfFetch } from './failures.js'
import type { Reuse } from './reuse.js'
import { sourceOfRetry } from './source-of-retry.js'
import { assertTaken } from './secrets-of-staging.js'

export interface StagingServiceParts extends StagingNodeParts {
  readonly ledger: StagingLedger
  readonly packages: PackageRepository
  readonly stagers: StagerRepository
  readonly pipelines: PipelineRepository
  readonly janitor: Pick<Janitor, 'sweepOnceEngineIsBack' | 'keepSweeping' | 'sweepForTheLastTime'>
  readonly kept: Pick<KeptLaunches, 'stop'>
  readonly prepared: Pick<PreparedLaunches, 'stop'>
  readonly toCome: Pick<LaunchesToCome, 'queued'>
  readonly reuse: Pick<Reuse, 'submit' | 'answer' | 'takeOver'>
  readonly secrets: Pick<Secrets, 'sealForStaging'>
}

export interface SubmitOptions {
  /** Default: a new one. */
  readonly uuid?: string | undefined
  /** It is queued, and waits for `supply`. Default: false. */
  readonly awaitsSource?: boolean | undefined
  readonly source?: StagingSource | undefined
  /** Whether an earlier result may answer it; default: true. */
  readonly reuse?: boolean | undefined
  /** How long the container of a failed launch is kept, in milliseconds. Default: not at all. */
  readonly keepFailedMs?: number | undefined
  /** By name, for those of its stagers that take them. Default: none. */
  readonly secrets?: ReadonlyMap<string, Uint8Array> | undefined
  /** Who is told of its end, besides the webhooks of namespaces. Default: nobody. */
  readonly notify?: readonly Receiver[] | undefined
  /** Of each launch, where they are lower than those of its stager. Default: those of the stagers. */
  readonly limits?: Partial<Pick<Limits, 'memoryBytes' | 'diskBytes'>> | undefined
}

/** What the lines are about has happened all the same. */
const UNWRITTEN = 'the log of a staging could not be written'

/**
 * The entry point of staging: requests of users, and start and shutdown.
 *
 * `start` does not wait for the Engine: see `StagingNode`. The janitor sweeps periodically, and once more in `stop`.
 */
export class StagingService {
  readonly #parts: StagingServiceParts
  readonly #node: StagingNode
  /** Lines that wait for the writer of their log. */
  readonly #logging = new Set<Promise<void>>()

  constructor(parts: StagingServiceParts, limit: number) {
    this.#parts = parts
    this.#node = new StagingNode(parts, limit)
  }

  /** Whether stagings are admitted. */
  get ready(): boolean {
    return this.#node.ready
  }

  /** See `StagingNode`. */
  get term(): StagingNode['term'] {
    return this.#node.term
  }

  get limit(): number {
    return this.#node.queue.limit
  }

  /** How many may run at once. */
  setLimit(limit: number): void {
    this.#node.queue.setLimit(limit)
  }

  /** How many run, or have left something that is still being removed from the host. */
  get atWork(): number {
    return this.#node.queue.atWork
  }

  get draining(): boolean {
    return this.#node.queue.held
  }

  /** Admits no queued staging until `undrain`. Those that run go on; new ones are queued. */
  drain(): void {
    this.#node.queue.hold()
  }

  undrain(): void {
    this.#node.queue.resume()
  }

  /** Resolves when no staging is at work. */
  idle(): Promise<void> {
    return this.#node.queue.idle()
  }

  start(): void {
    this.#node.start()
  }

  /** Ends running launches; their stagings continue at the next start, or at another node. */
  async stop(): Promise<void> {
    await Promise.all([this.#node.stop(), this.#parts.kept.stop(), this.#parts.prepared.stop()])
    await Promise.all(this.#logging)
    await this.#parts.janitor.sweepForTheLastTime()
  }

  /**
   * Throws `NotFound` for a package, a pipeline or a stager that does not exist, `Conflict` (`package-busy`,
   * `package-empty`), and `BadInput` and `TooLarge` for secrets, as `assertTaken` and `assertSecrets`.
   */
  async submit(
    packageRef: Ref,
    pipelineRef: Ref,
    { secrets = new Map(), limits = {}, ...options }: SubmitOptions = {},
  ): Promise<Staging> {
    const { ledger, packages, pipelines, stagers } = this.#parts
    const subject = await packages.get(packageRef)
    const pipeline = await pipelines.get(pipelineRef)
    const pipelineFqn = formatFqn('stagpipe', pipeline)
    const found = await Promise.all(pipeline.stagers.map((uuid) => stagers.get({ uuid })))
    const names = [...secrets.keys()]
    assertTaken(names, { pipelineFqn, stagers: found, keepFailedMs: options.keepFailedMs })
    const request = {
      packageUuid: subject.uuid,
      pipelineFqn,
      stagers: found.map((one) => ({
        ...one,
        limits: lowest(one.limits, limits),
        ...(Object.keys(limits).length > 0 ? { allowed: limits } : {}),
      })),
      ...options,
      ...(names.length > 0
        ? { secrets: { names, sealed: this.#parts.secrets.sealForStaging(subject.uuid, secrets) } }
        : {}),
    }
    // One that has to wait is answered when its turn comes: those before it may change what it depends on.
    const mayBeAnswered = this.#node.queue.admitsAtOnce && options.awaitsSource !== true
    const staging = await (mayBeAnswered ? this.#submitAndAnswer(request) : ledger.submit(request))
    if (staging.state === 'queued') this.#waits(staging)
    return staging
  }

  #waits(staging: Staging): void {
    this.#node.queued(staging)
    if (this.#node.queue.isFull && !this.#node.queue.held && !staging.awaitsSource)
      void this.#parts.toCome.queued(staging)
  }

  /** The log goes to the disk while the transaction does: whoever learns of the end finds it complete. */
  async #submitAndAnswer(request: SubmitStaging): Promise<Staging> {
    const { reuse, logs, logger } = this.#parts
    const written: { readonly uuid: string; readonly done: Promise<void> }[] = []
    let staging: Staging | undefined
    try {
      staging = await reuse.submit(request, (found, reused) => {
        const { uuid } = found
        const lines = [beginning(found), reuseOf({ reused }), COMPLETE]
        const done = logs.writeWhole(uuid, lines).catch((error: unknown) => {
          logger.error({ err: error, staging: uuid, lines }, UNWRITTEN)
        })
        written.push({ uuid, done })
      })
      return staging
    } finally {
      for (const { uuid, done } of written) {
        await done
        // The transaction was not committed.
        if (staging?.state !== 'succeeded') await logs.delete(uuid)
      }
    }
  }

  /** The source of a staging that awaits it, which may run from now on. Throws `Conflict` (`state-changed`). */
  async supply(uuid: string, source: StagingSource): Promise<Staging> {
    const staging = await this.#parts.ledger.supply(uuid, source)
    this.#waits(staging)
    return staging
  }

  /**
   * A staging that awaits its source will not get it, and fails.
   *
   * @param why lines for its log
   */
  async refuse(uuid: string, why: readonly string[]): Promise<void> {
    const failure = failureOfFetch()
    const refused = await this.#parts.ledger.refuse(uuid, failure)
    await this.#log(refused, ...why, ...explanationOf(failure, []))
  }

  /** Throws `Conflict` (`staging-ended`). */
  async cancel(uuid: string): Promise<Staging> {
    const staging = await this.#parts.ledger.requestCancel(uuid)
    if (staging.startedAt === undefined) {
      await this.#log(staging, 'Staging was cancelled before it started.')
      return staging
    }
    const then = await this.#node.cancel(staging)
    if (then.state !== 'cancelled') return then
    const hasWriter = this.#parts.logs.isTaken(uuid)
    const logged = this.#log(then, 'Staging was cancelled.')
    // Whoever has lost it is told to end, and writes its last lines first.
    if (!hasWriter) await logged
    return then
  }

  /**
   * Submits a new staging of the same package, or of the same source, with the same pipeline, and within the limits that
   * were asked for. Package and pipeline are taken as they are now. Nobody is told of its end who was named by the call of the first one.
   *
   * Throws `Conflict` (`staging-not-ended`, `staging-source-gone`, `secrets-gone`), and what `submit` throws.
   */
  async retry(uuid: string, options: Pick<SubmitOptions, 'reuse' | 'keepFailedMs'> = {}): Promise<Staging> {
    const { ledger } = this.#parts
    const staging = await ledger.get(uuid)
    const source = await sourceOfRetry(staging, () => ledger.results(uuid))
    const pipeline = parseFqn(staging.pipelineFqn, 'stagpipe', '/')
    const limits = staging.stagers[0]?.allowed
    return await this.submit({ uuid: staging.packageUuid }, pipeline, { ...options, source, limits })
  }

  /**
   * For one that this call has ended: nobody takes it up any more, so that the next number is its own. After a lost term, this node may
   * still close the log. Never rejects.
   */
  async #log(staging: Staging, ...lines: string[]): Promise<void> {
    const logging = this.#write(staging, lines)
    this.#logging.add(logging)
    await logging
    this.#logging.delete(logging)
  }

  async #write({ uuid, logWriter }: Staging, lines: readonly string[]): Promise<void> {
    try {
      const log = await this.#parts.logs.write(uuid, logWriter + 1)
      await log.message(...lines).finally(() => log.close())
    } catch (error) {
      this.#parts.logger.error({ err: error, staging: uuid, lines }, UNWRITTEN)
    }
  }
}

function lowest(of: Limits, { memoryBytes = Infinity, diskBytes = Infinity }: Partial<Limits>): Limits {
  return {
    ...of,
    memoryBytes: Math.min(of.memoryBytes, memoryBytes),
    diskBytes: Math.min(of.diskBytes, diskBytes),
  }
}
