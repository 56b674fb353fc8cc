import { canonicalJson } from '../../base/canonical-json.js'
import type { LaunchPlan } from './plan.js'

export interface Preparation {
  /** How many of its kind are to wait then; default: 1. */
  readonly most?: number
  /** Whether the oldest one of another kind makes way if there is no place; default: it does, for the first of its kind. */
  readonly makesWay?: boolean
}

/** A launch, as far as it decides what its container is created with. */
export type Fit = Pick<LaunchPlan, 'prepare' | 'start'>

/** For who has asked twice. */
export function both(one: Preparation = { makesWay: false }, other: Preparation): Preparation {
  const makesWay = one.makesWay !== false || other.makesWay !== false
  return { most: Math.max(one.most ?? 1, other.most ?? 1), makesWay }
}

/** Launches of one kind can be served by the same container. */
export function kindOf({ prepare, start }: Fit): string {
  const { root, shims, user, egress, publish } = prepare
  const { command, workingDirectory, limits } = start
  const layers = root.map(({ sha256, removals }) => ({ sha256, removals }))
  return canonicalJson({ layers, shims, user, egress, publish, command, workingDirectory, limits })
}
