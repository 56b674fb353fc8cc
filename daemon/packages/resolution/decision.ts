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
  /** Names of the same type that are there in other versions, where nothing provides this one. */
  readonly otherVersions?: readonly string[]
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
  return decisions.flatMap(({ dependency, neededBy, candidates, otherVersions = [] }) => [
    `${formatCapability(dependency)}, which ${neededBy} needs:`,
    ...(candidates.length === 0
      ? [`  nothing provides ${formatCapability(dependency)}${instead(dependency, otherVersions)}`]
      : []),
    ...candidates.slice(0, maxCandidates).map(({ name, verdict, reason }) => `  ${name} ${verdict}, because ${reason}`),
    ...(candidates.length > maxCandidates ? [`  and ${candidates.length - maxCandidates} more`] : []),
  ])
}

function instead({ type }: Capability, names: readonly string[]): string {
  if (names.length === 0)
    return type === 'file'
      ? ': import a package that does'
      : ': import a package that does, or make what comes with stagerd with `stagectl bootstrap`'
  const there = names.map((name) => formatCapability({ type, name })).join(', ')
  return `, but there ${names.length === 1 ? 'is' : 'are'} ${there}: depend on ${names.length === 1 ? 'that' : 'one of them'}, or import a package that does`
}
