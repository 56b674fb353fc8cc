import { Refused, Unresolved } from '../../base/errors.js'
import type { NeedlessRelaunch, Staging, WorkingCopy } from '../model/staging.js'
import { areEquivalent } from './launch-digest.js'
import type { LaunchParts } from './launch-parts.js'
import { planLaunch, type LaunchPlan } from './plan.js'

/**
 * What a relaunch with `work` would be given, if the stager that was launched by `plan` has all of it: then it may go on.
 * Undefined if it lacks anything, or if there is no solution: the relaunch then tells why.
 *
 * @param staging as it was when the stager was launched
 */
export async function needlessRelaunch(
  { resolver, plan: settings }: Pick<LaunchParts, 'resolver' | 'plan'>,
  staging: Staging,
  plan: LaunchPlan,
  work: WorkingCopy,
): Promise<NeedlessRelaunch | undefined> {
  const left = { ...work, resource: staging.work.resource, needlessRelaunches: undefined }
  try {
    const next = await resolver.with((catalogue) =>
      planLaunch({ ...staging, work: left }, plan.prepare.id, catalogue, settings),
    )
    return areEquivalent(plan, next) ? { work: left, given: next.given } : undefined
  } catch (error) {
    if (error instanceof Unresolved || error instanceof Refused) return undefined
    throw error
  }
}
