import { createHash } from 'node:crypto'
import { canonicalJson } from '../../base/canonical-json.js'
import type { LayerSource, PreparePlan, StartPlan } from '../../isolation/launch-plan.js'
import type { WorkingCopy } from '../model/staging.js'

/** Raise it when stagerd gives stagers something else for the same plan, other than by a new version. */
const CONVENTIONS = 1

/** What every launch of a node is given, beyond its plan: anything that a stager can see or that changes its result. */
export type NodeFacts = Readonly<Record<string, string | number>>

/** A plan, as far as a stager can see it. */
export interface DigestedPlan {
  readonly prepare: PreparePlan
  readonly start: Omit<StartPlan, 'coordinatorPort'>
}

/**
 * Digest of all that a launch is given. It takes in the whole plan, so that a new field of a plan counts without being
 * named here. Left out are the UUID of the launch, the names of packages and whether the container may be kept, which no
 * stager sees.
 *
 * @param work before the launch
 */
export function digestOfLaunch(plan: DigestedPlan, work: WorkingCopy, node: NodeFacts): string {
  const { resource, ...metadata } = work
  const given = {
    conventions: CONVENTIONS,
    node,
    ...seenByStager(plan),
    work: {
      ...metadata,
      needlessRelaunches: undefined,
      resource: { sha256: resource.sha256, removals: resource.removals },
    },
  }
  return createHash('sha256').update(canonicalJson(given)).digest('hex')
}

/**
 * Whether a stager that was launched by one plan would gain nothing from a launch by the other. Variables that begin with
 * STAGER_ do not count: they are notes of stagers, or what the next launch could be given.
 */
export function areEquivalent(one: DigestedPlan, other: DigestedPlan): boolean {
  const [seen, wanted] = [one, other].map((plan) => {
    const { prepare, start } = seenByStager(plan)
    const variables = Object.entries(start.environment).filter(([name]) => !name.startsWith('STAGER_'))
    return canonicalJson({ prepare, start: { ...start, environment: Object.fromEntries(variables) } })
  })
  return seen === wanted
}

function seenByStager({ prepare, start }: DigestedPlan) {
  return {
    prepare: { ...prepare, id: undefined, root: prepare.root.map(withoutName) },
    start: { ...start, keepable: undefined, stagerfs: start.stagerfs?.map(withoutName) },
  }
}

/** Canonical JSON leaves out what is undefined. */
function withoutName(layer: LayerSource) {
  return { ...layer, name: undefined }
}
