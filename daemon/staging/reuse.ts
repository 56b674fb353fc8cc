import { Conflict, Refused, Unresolved } from '../../base/errors.js'
import { Holder, type Leases } from '../../base/leases.js'
import type { Catalogue } from '../packages/catalogue.js'
import { withOwnStartCommand } from '../packages/manifest/apply-manifest.js'
import type { Resolver } from '../resolver/resolver.js'
import type { Secrets } from '../secrets/secrets.js'
import type { NodeLedger } from '../store/node-ledger.js'
import type { StagingLedger, SubmitStaging } from '../store/staging-ledger.js'
import type { Logger } from 'pino'
import type { BlobStore } from '../store/blob-store.js'
import type { Result, TakenOver } from '../model/result.js'
import type { Staging, WorkingCopy } from '../model/staging.js'
import { planLaunch, type PlanSettings } from './plan.js'
import { isAnswer, mayBeReused, restaged } from './replay.js'
import { takenOver, upToDone } from './take-over.js'

export interface ReuseParts {
  readonly ledger: Pick<StagingLedger, 'submit' | 'results'>
  readonly resolver: Resolver
  readonly plan: PlanSettings
  readonly secrets: Pick<Secrets, 'areGiven'>
  readonly blobs: Pick<BlobStore, 'verify'>
  readonly liveBlobs: Leases
  readonly logger: Pick<Logger, 'warn'>
}

/** Answers stagings from the results that their packages keep, or has them begin with what some of their stagers have left. */
export class Reuse {
  constructor(private readonly parts: ReuseParts) {}

  /**
   * Submits a staging, and answers it at once if it can be: then it has succeeded, in one transaction instead of three.
   * Throws what `StagingLedger.submit` throws. What only an answer would throw is left to the turn of the staging.
   *
   * @param found is called before the transaction is committed that ends the staging, with the staging that answers it
   */
  async submit(request: SubmitStaging, found: (staging: Staging, reused: string) => void): Promise<Staging> {
    const { ledger, resolver } = this.parts
    const { reuse = true, stagers, secrets } = request
    if (!reuse || !(await this.#isKnown({ stagers, secrets: secrets?.names ?? [] })))
      return await ledger.submit(request)
    try {
      return await resolver.with((catalogue) =>
        ledger.submit(request, (staging, results) => {
          const result = this.#find(staging, results, catalogue)
          if (result?.making) found(staging, result.making.staging)
          return result
        }),
      )
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      return await ledger.submit(request)
    }
  }

  /**
   * The staging after it has succeeded without a launch; undefined if no kept result is its outcome. The newest one that is
   * wins. Throws `Refused` (`package-quota`), as its last launch would.
   */
  async answer(staging: Staging, ledger: Pick<NodeLedger, 'answer'>): Promise<Staging | undefined> {
    if (!mayBegin(staging) || !(await this.#isKnown(staging))) return undefined
    const { resolver } = this.parts
    const results = await this.parts.ledger.results(staging.uuid)
    const found = await resolver.with((catalogue) => this.#find(staging, results, catalogue))
    if (!found) return undefined
    try {
      return await ledger.answer(staging.uuid, found.number)
    } catch (error) {
      // Another package has needed its room meanwhile.
      if (error instanceof Conflict && error.code === 'state-changed') return undefined
      throw error
    }
  }

  /**
   * The staging after it has taken over what its first stagers would make; undefined if no kept output is that. For one
   * that `answer` does not answer.
   */
  async takeOver(
    staging: Staging,
    ledger: Pick<NodeLedger, 'takeOver'>,
    signal: AbortSignal,
  ): Promise<Staging | undefined> {
    const { blobs, liveBlobs, logger, resolver, secrets } = this.parts
    if (!mayBegin(staging) || (await secrets.areGiven(staging))) return undefined
    const results = await this.parts.ledger.results(staging.uuid)
    let found = await resolver.with((catalogue) =>
      results.flatMap((result) => takenOver(result, staging, (next) => this.#digest(next, catalogue)) ?? []),
    )
    const holder = new Holder()
    const isStopped = () => signal.aborted
    try {
      // Most stagers first; of the same number, the newest.
      for (let best = longest(found); best && !isStopped(); best = longest(found)) {
        const sha256 = best.launches.at(-1)?.work.resource.sha256 ?? ''
        // Before it is read: it cannot be deleted then until the ledger names it.
        liveBlobs.hold(sha256, holder)
        const usable = async () => {
          const verdict = await blobs.verify(sha256, { signal })
          if (verdict === 'sound') await liveBlobs.confirm(sha256)
          return verdict
        }
        const verdict = await usable().catch((error: unknown) => error)
        if (verdict === 'sound') return await ledger.takeOver(staging.uuid, best)
        if (verdict !== undefined && !isStopped())
          logger.warn({ staging: staging.uuid, sha256, err: verdict }, 'what a stager has left cannot be used')
        const unusable = best
        found = found.flatMap((one) => (one === unusable ? (upToDone(one, true) ?? []) : one))
      }
      return undefined
    } finally {
      holder.release()
    }
  }

  /** See `Making.again`. `work` is that of the last verdict. */
  async again(staging: Staging, work: WorkingCopy): Promise<string | undefined> {
    const { input } = staging
    if (!input || work.unrepeatable === true) return undefined
    const next = restaged(staging, { input }, withOwnStartCommand(work))
    return await this.parts.resolver.with((catalogue) => this.#digest(next, catalogue))
  }

  /** Whether what is kept tells what the stagers make. What they make of secrets, it does not. */
  async #isKnown(staging: Pick<Staging, 'stagers' | 'secrets'>): Promise<boolean> {
    return mayBeReused(staging.stagers) && !(await this.parts.secrets.areGiven(staging))
  }

  #find(staging: Staging, results: readonly Result[], catalogue: Catalogue): Result | undefined {
    return results.find((result) => isAnswer(result, staging, (next) => this.#digest(next, catalogue)))
  }

  /** Undefined if there is no plan: the staging then ends with that reason when it comes to it. */
  #digest(staging: Staging, catalogue: Catalogue): string | undefined {
    try {
      return planLaunch(staging, NO_LAUNCH, catalogue, this.parts.plan).given
    } catch (error) {
      if (error instanceof Unresolved || error instanceof Refused) return undefined
      throw error
    }
  }
}

/** Whether nothing of the staging has been done. */
function mayBegin({ reuse, launches, takenOver }: Staging): boolean {
  return reuse && launches.length === 0 && !takenOver
}

function longest(found: readonly TakenOver[]): TakenOver | undefined {
  const stagers = ({ launches }: TakenOver) => launches.at(-1)?.step ?? -1
  return found.toSorted((a, b) => stagers(b) - stagers(a))[0]
}

/** The id of a launch is no part of its digest. */
const NO_LAUNCH = ''
