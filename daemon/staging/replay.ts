import { canonicalJson } from '../../base/canonical-json.js'
import { METADATA_FIELDS } from '../model/result-names.js'
import { stated } from '../packages/manifest/apply-manifest.js'
import type { Making, Result } from '../model/result.js'
import { isReproducible, type StagerSnapshot, type Staging, type WorkingCopy } from '../model/staging.js'

/** The digest of what the launch at the step of a staging would be given now; undefined if it cannot be planned. */
export type DigestOfNext = (staging: Staging) => string | undefined

/** Whether the results of these stagers depend on nothing but what they are given. */
export function mayBeReused(stagers: readonly StagerSnapshot[]): boolean {
  return stagers.every(isReproducible)
}

/**
 * Whether the launches of `staging`, which has had none, would all be given what those were given that made `result`:
 * then its outcome is this result. See docs/decisions/0034-results-and-their-reuse.md.
 */
export function isAnswer({ content, making }: Result, staging: Staging, digestOf: DigestOfNext): boolean {
  if (!making || !hasSource(staging, making) || !beginsLike(staging.work, making.input, content)) return false
  if (!isSameAgain(making, content, staging, digestOf)) return false
  const { launches } = making
  const last = launches.at(-1)
  return (
    repeated(making, staging, digestOf) === launches.length &&
    last?.verdict === 'done' &&
    last.step + 1 === staging.stagers.length
  )
}

export function hasSource({ work }: Pick<Staging, 'work'>, { input }: Pick<Making, 'input'>): boolean {
  const [now, then] = [work.resource, input.resource]
  return now.sha256 === then.sha256 && canonicalJson(now.removals) === canonicalJson(then.removals)
}

/** Whether the first launch, staged on top of the result, would be given what it would have been given then. */
export function isSameAgain(
  making: Making,
  content: Omit<WorkingCopy, 'resource'>,
  staging: Staging,
  digestOf: DigestOfNext,
): boolean {
  return making.again !== undefined && digestOf(restaged(staging, making, content)) === making.again
}

/** How many of the launches, from the first one, would be given what they were given. */
export function repeated(
  { input, launches }: Pick<Making, 'input' | 'launches'>,
  staging: Staging,
  digestOf: DigestOfNext,
): number {
  let work = input
  let step = 0
  for (const [index, launch] of launches.entries()) {
    if (launch.step !== step || step >= staging.stagers.length) return index
    const isGiven = (work: WorkingCopy, given: string | undefined) =>
      given !== undefined && digestOf({ ...staging, step, work }) === given
    if (!isGiven(work, launch.given)) return index
    // It would have to be relaunched now if one of them gave it something else.
    const { needlessRelaunches = [] } = launch.work
    if (!needlessRelaunches.every((one) => isGiven(one.work, one.given))) return index
    work = launch.work
    if (launch.verdict === 'done') step += 1
  }
  return launches.length
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
