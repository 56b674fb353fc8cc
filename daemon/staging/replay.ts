import { canonicalJson } from '../../base/canonical-json.js'
import { METADATA_FIELDS } from '../model/result-names.js'
import { stated } from '../packages/manifest/apply-manifest.js'
import type { Making, Result } from '../model/result.js'
import type { StagerSnapshot, Staging, WorkingCopy } from '../model/staging.js'

/** The digest of what the launch at the step of a staging would be given now; undefined if it cannot be planned. */
export type DigestOfNext = (staging: Staging) => string | undefined

/** Whether the results of these stagers depend on nothing but what they are given. */
export function mayBeReused(stagers: readonly StagerSnapshot[]): boolean {
  return stagers.every(({ egress, reproducible }) => !egress || reproducible === true)
}

/**
 * Whether the launches of `staging`, which has had none, would all be given what those were given that made `result`:
 * then its outcome is this result. See docs/decisions/0034-results-and-their-reuse.md.
 */
export function isAnswer({ content, making }: Result, staging: Staging, digestOf: DigestOfNext): boolean {
  if (!making) return false
  const { again, input, launches } = making
  if (staging.work.resource.sha256 !== input.resource.sha256) return false
  if (canonicalJson(staging.work.resource.removals) !== canonicalJson(input.resource.removals)) return false
  if (!beginsLike(staging.work, input, content)) return false
  if (again === undefined || digestOf(restaged(staging, making, content)) !== again) return false
  let work = input
  let step = 0
  for (const launch of launches) {
    if (launch.step !== step || step >= staging.stagers.length) return false
    const isGiven = (work: WorkingCopy, given: string | undefined) =>
      given !== undefined && digestOf({ ...staging, step, work }) === given
    if (!isGiven(work, launch.given)) return false
    // It would have to be relaunched now if one of them gave it something else.
    const { needlessRelaunches = [] } = launch.work
    if (!needlessRelaunches.every((one) => isGiven(one.work, one.given))) return false
    work = launch.work
    if (launch.verdict === 'done') step += 1
  }
  return step === staging.stagers.length
}

/** The first launch of the same source, staged on top of its result. */
export function restaged(
  staging: Staging,
  { input }: Pick<Making, 'input'>,
  content: Omit<WorkingCopy, 'resource'>,
): Staging {
  const { dependencies, provides, environment, templates, manifest } = content
  const work = { dependencies, provides, environment, templates, ...(manifest ? { manifest } : {}) }
  return { ...staging, step: 0, work: { ...work, resource: input.resource } }
}

/** Each field is as the stagers found it then, or as they left it. */
function beginsLike(work: WorkingCopy, input: WorkingCopy, content: Omit<WorkingCopy, 'resource'>): boolean {
  return METADATA_FIELDS.every((field) => {
    const [now, found, left] = [work, input, content].map((one) => canonicalJson(stated(one, field) ?? null))
    return now === found || now === left
  })
}
