import { formatCapability } from '../capability.js'
import type { Capability } from '../metadata.js'

/** How one dependency was resolved, and why. */
export interface Decision {
  readonly dependency: Capability
  /** FQN of a package, or the subject of the resolution. */
  readonly neededBy: string
  /** FQN; undefined if no candidate could be taken. */
  readonly taken: string | undefined
  /** All packages that provide it: first those that the rules permit, in order of preference, then the others. */
  readonly candidates: readonly Considered[]
}

export interface Considered {
  /** FQN. */
  readonly name: string
  readonly verdict: 'taken' | 'refused' | 'passed over'
  /** Completes a sentence after "because". */
  readonly reason: string
}

/**
 * One text format for `--explain`, errors and the log of a staging.
 *
 * @param maxCandidates limit of listed candidates for each dependency
 */
export function describeDecisions(decisions: readonly Decision[], maxCandidates = Infinity): string[] {
  return decisions.flatMap(({ dependency, neededBy, candidates }) => [
    `${formatCapability(dependency)}, which ${neededBy} needs:`,
    ...(candidates.length === 0
      ? [`  nothing provides ${formatCapability(dependency)}: import a package that does`]
      : []),
    ...candidates.slice(0, maxCandidates).map(({ name, verdict, reason }) => `  ${name} ${verdict}, because ${reason}`),
    ...(candidates.length > maxCandidates ? [`  and ${candidates.length - maxCandidates} more`] : []),
  ])
}
