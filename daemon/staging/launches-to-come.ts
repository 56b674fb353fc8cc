import { setTimeout as delay } from 'node:timers/promises'
import type { Staging } from '../model/staging.js'
import type { StagingLedger } from '../store/staging-ledger.js'
import type { Resolver } from '../resolver/resolver.js'
import { currentStager, planLaunch, type LaunchPlan, type PlanSettings } from './plan.js'
import { kindOf, type Preparation } from './preparation.js'
import type { PreparedLaunches } from './prepared-launches.js'

export interface LaunchesToComeParts {
  readonly prepared: Pick<PreparedLaunches, 'prepare' | 'free' | 'isOff'>
  readonly resolver: Pick<Resolver, 'with'>
  readonly plan: PlanSettings
  readonly ledger: Pick<StagingLedger, 'get'>
}

/**
 * How many of the queued stagings are remembered. The first few matter: while those run, others are submitted. More would be
 * memory for nothing.
 */
const MOST_QUEUED = 16

/**
 * A launch that ends sooner needs nothing but the next stager, in milliseconds: whatever else would be made, it would have to share
 * the processors with. What is missing then is made after the staging.
 */
const SHORT_MS = 100

/** Only where a place is free: something that comes sooner may need the others. */
const IF_FREE: Preparation = { makesWay: false }

/** How many launches of a kind are to come. Stagers that differ in nothing but their variables are of one kind. */
type Counts = Map<string, number>

/**
 * Which launches come next, and in which order: for these, containers are created ahead, one after the other, as far as
 * there are places.
 *
 * 1. The next stager of a staging that runs.
 * 2. The same stager, which may ask for a relaunch.
 * 3. The first stager of the staging that has been queued for the longest.
 * 4. The stagers after the next one, and another one for the same stager.
 *
 * None of its methods rejects: whether a launch has a plan turns out when it is needed.
 */
export class LaunchesToCome {
  readonly #parts: LaunchesToComeParts
  /** By UUID, in the order of submission; some of them may have begun. Those of an earlier process get what is there. */
  readonly #queued = new Map<string, Staging>()

  constructor(parts: LaunchesToComeParts) {
    this.#parts = parts
  }

  /**
   * A stager that has got what it expects does not ask for a relaunch, and needs the processors itself.
   *
   * @param isOver whether the launch has ended
   */
  async launchBegan(staging: Staging, plan: LaunchPlan, isOver: () => boolean): Promise<void> {
    if (this.#parts.prepared.isOff) return
    const { step } = staging
    const counts: Counts = new Map()
    await this.#prepareStep(staging, step + 1, counts)
    const expectsNone = (currentStager(staging).expects ?? []).length === 0
    await delay(SHORT_MS, undefined, { ref: false })
    if (isOver()) return
    if (expectsNone) await this.#prepare(plan, counts)
    await this.#prepareQueued(counts)
    await this.#prepareAfter(staging, step + 2, counts)
    if (expectsNone) await this.#prepare(plan, counts, IF_FREE)
  }

  /** Another staging with this pipeline may follow. */
  async stagingEnded(staging: Staging, plan: LaunchPlan): Promise<void> {
    if (this.#parts.prepared.isOff) return
    const counts: Counts = new Map()
    if (staging.step === 0) await this.#prepare(plan, counts)
    else await this.#prepareStep(staging, 0, counts)
    await this.#prepareQueued(counts)
    await this.#prepareStep(staging, 0, counts, IF_FREE)
    await this.#prepareAfter(staging, 1, counts)
  }

  /** It has its source, and waits for its turn. */
  async queued(staging: Staging): Promise<void> {
    if (this.#parts.prepared.isOff || this.#queued.size >= MOST_QUEUED) return
    this.#queued.set(staging.uuid, staging)
    await this.#prepareQueued()
  }

  async #prepareQueued(counts: Counts = new Map()): Promise<void> {
    for (const [uuid, staging] of this.#queued) {
      if (await this.#waits(uuid)) {
        await this.#prepareStep(staging, 0, counts, IF_FREE)
        return
      }
      this.#queued.delete(uuid)
    }
  }

  /** A staging that cannot be read, or has been deleted, does not. */
  async #waits(uuid: string): Promise<boolean> {
    try {
      return (await this.#parts.ledger.get(uuid)).state === 'queued'
    } catch {
      return false
    }
  }

  async #prepareAfter(staging: Staging, from: number, counts: Counts): Promise<void> {
    for (let step = from; step < staging.stagers.length; step++) await this.#prepareStep(staging, step, counts, IF_FREE)
  }

  async #prepareStep(staging: Staging, step: number, counts: Counts, preparation: Preparation = {}): Promise<void> {
    const { prepared, resolver, plan: settings } = this.#parts
    if (step >= staging.stagers.length || (preparation.makesWay === false && prepared.free === 0)) return
    let plan: LaunchPlan
    try {
      plan = await resolver.with((catalogue) => planLaunch({ ...staging, step }, '', catalogue, settings))
    } catch {
      return
    }
    await this.#prepare(plan, counts, preparation)
  }

  /** One more than the launches of its kind need that come sooner. */
  async #prepare(plan: LaunchPlan, counts: Counts, preparation: Preparation = {}): Promise<void> {
    const kind = kindOf(plan)
    const most = (counts.get(kind) ?? 0) + 1
    counts.set(kind, most)
    await this.#parts.prepared.prepare(plan, { ...preparation, most })
  }
}
