import { Conflict, Refused, Unresolved } from '../../base/errors.js'
import type { Catalogue } from '../packages/catalogue.js'
import { withOwnStartCommand } from '../packages/manifest/apply-manifest.js'
import type { Resolver } from '../resolver/resolver.js'
import type { Secrets } from '../secrets/secrets.js'
import type { StagingLedger } from '../store/staging-ledger.js'
import type { Staging, WorkingCopy } from '../model/staging.js'
import { planLaunch, type PlanSettings } from './plan.js'
import { isAnswer, mayBeReused, restaged } from './replay.js'

export interface ReuseParts {
  readonly ledger: Pick<StagingLedger, 'results' | 'answer'>
  readonly resolver: Resolver
  readonly plan: PlanSettings
  readonly secrets: Pick<Secrets, 'areGiven'>
}

/** Answers stagings from the results that their packages keep. */
export class Reuse {
  constructor(private readonly parts: ReuseParts) {}

  /**
   * The staging after it has succeeded without a launch; undefined if no kept result is its outcome. The newest one that is
   * wins. Throws `Refused` (`package-quota`), as its last launch would.
   */
  async answer(staging: Staging): Promise<Staging | undefined> {
    if (!staging.reuse || staging.launches.length > 0 || !mayBeReused(staging.stagers)) return undefined
    const { ledger, resolver, secrets } = this.parts
    // What they make is not known from anything that is kept.
    if (await secrets.areGiven(staging)) return undefined
    const results = await ledger.results(staging.uuid)
    const found = await resolver.with((catalogue) =>
      results.find((result) => isAnswer(result, staging, (next) => this.#digest(next, catalogue))),
    )
    if (!found) return undefined
    try {
      return await ledger.answer(staging.uuid, found.number)
    } catch (error) {
      // Another package has needed its room meanwhile.
      if (error instanceof Conflict && error.code === 'state-changed') return undefined
      throw error
    }
  }

  /** See `Making.again`. `work` is that of the last verdict. */
  async again(staging: Staging, work: WorkingCopy): Promise<string | undefined> {
    const { input } = staging
    if (!input || work.unrepeatable === true) return undefined
    const next = restaged(staging, { input }, withOwnStartCommand(work))
    return await this.parts.resolver.with((catalogue) => this.#digest(next, catalogue))
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

/** The id of a launch is no part of its digest. */
const NO_LAUNCH = ''
