import { canonicalJson } from '../../base/canonical-json.js'
import { METADATA_FIELDS, type MetadataField } from '../model/result-names.js'
import type { RecordedLaunch, Result, TakenOver } from '../model/result.js'
import { isReproducible, type Staging, type WorkingCopy } from '../model/staging.js'
import { stated } from '../packages/manifest/apply-manifest.js'
import { hasSource, isSameAgain, repeated, type DigestOfNext } from './replay.js'

/**
 * The most of the launches that made `result` which `staging`, which has had none, can go on from: up to a launch that is `done`
 * and is not that of its last stager. Undefined if there are none. See docs/decisions/0084-outputs-of-stagers.md.
 */
export function takenOver(result: Result, staging: Staging, digestOf: DigestOfNext): TakenOver | undefined {
  const { content, making } = result
  if (!making || !hasSource(staging, making)) return undefined
  const { input } = making
  const same = making.launches
    .slice(0, repeated(making, staging, digestOf))
    .filter(({ step }) => step + 1 < staging.stagers.length)
  const unknown = same.findIndex(
    ({ step, work }) => work.unrepeatable === true || !staging.stagers.slice(0, step + 1).every(isReproducible),
  )
  const known = unknown < 0 ? same : same.slice(0, unknown)
  const began = METADATA_FIELDS.every((field) => isSame(field, staging.work, input))
  if (!began && !isSameAgain(making, content, staging, digestOf)) return undefined

  const launches: RecordedLaunch[] = []
  let work = staging.work
  for (const launch of known) {
    const given = digestOf({ ...staging, step: launch.step, work })
    const left = leftNow(staging.work, { input, content, left: launch.work })
    if (given === undefined || left === undefined) break
    launches.push({ ...launch, given, work: left })
    work = left
  }
  return upToDone({ staging: making.staging, launches })
}

/** Without what follows the last launch that is `done`, and without that one too if `shorter`. */
export function upToDone({ staging, launches }: TakenOver, shorter = false): TakenOver | undefined {
  const end = launches.slice(0, shorter ? -1 : undefined).findLastIndex(({ verdict }) => verdict === 'done')
  return end < 0 ? undefined : { staging, launches: launches.slice(0, end + 1) }
}

interface Then {
  readonly input: WorkingCopy
  readonly content: Omit<WorkingCopy, 'resource'>
  /** By a launch. */
  readonly left: WorkingCopy
}

/**
 * What the launch would leave in a package that begins with `work`: see the decision. Undefined if that is not known. The
 * manifest is no stager's, and is that of `work`, with the places of its text.
 */
function leftNow(work: WorkingCopy, then: Then): WorkingCopy | undefined {
  const fields: Partial<Record<MetadataField, unknown>> = {}
  for (const field of METADATA_FIELDS) {
    if (field === 'manifest') {
      if (!isSame(field, work, then.input)) return undefined
      fields[field] = work[field]
    } else if (isSame(field, work, then.input)) fields[field] = then.left[field]
    else if (isSame(field, work, then.content) && extendsLeft(field, then)) fields[field] = work[field]
    else return undefined
  }
  return { ...then.left, ...(fields as Pick<WorkingCopy, MetadataField>) }
}

/** Whether the result has all that the launch had left in the field, and more only of what was not there when it all began. */
function extendsLeft(field: Exclude<MetadataField, 'manifest'>, { input, content, left }: Then): boolean {
  if (field === 'environment') {
    const [began, was, is] = [input.environment, left.environment, content.environment]
    return (
      Object.entries(was).every(([key, value]) => Object.hasOwn(is, key) && is[key] === value) &&
      Object.keys(is).every((key) => Object.hasOwn(was, key) || !Object.hasOwn(began, key))
    )
  }
  const entriesOf = (one: Omit<WorkingCopy, 'resource'>) => one[field].map((entry) => canonicalJson(entry))
  const [began, was, is] = [entriesOf(input), entriesOf(left), entriesOf(content)]
  return (
    was.every((entry, place) => entry === is[place]) && is.slice(was.length).every((entry) => !began.includes(entry))
  )
}

function isSame(
  field: MetadataField,
  one: Omit<WorkingCopy, 'resource'>,
  other: Omit<WorkingCopy, 'resource'>,
): boolean {
  return canonicalJson(stated(one, field) ?? null) === canonicalJson(stated(other, field) ?? null)
}
