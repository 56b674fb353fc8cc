import type { LaunchSecrets } from '../secrets/secrets.js'
import type { LaunchPlan } from './plan.js'

/** A container that has had secrets is never kept: what reads them may have copied them. */
export function withSecrets(plan: LaunchPlan, { given }: LaunchSecrets): LaunchPlan {
  return given.size === 0 ? plan : { ...plan, start: { ...plan.start, keepable: false, secrets: given } }
}
