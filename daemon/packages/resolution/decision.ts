import { formatCapability } from '../capability.js'
import type { Capability } from '../metadata.js'

/** What became of one dependency, and why. */
export interface Decision {
  readonly dependency: Capability
  /** Full name of a package, or the subject of the resolution. */
  readonly neededBy: string
  /** Full name; undefined where nothing could be taken. */
  readonly taken: string | undefined
  /** Everything that provides it: what was taken, what was preferred to that, and the rest in order of import. */
  readonly candidates: readonly Considered[]
}

export interface Considered {
  /** Full name. */
  readonly name: string
  readonly verdict: 'taken' | 'refused' | 'passed over'
  /** Follows "because". */
  readonly reason: string
}

/**
 * In the same words wherever it is told: by `--explain`, in an error, in the log of a staging.
 *
 * @param most candidates to tell of for one dependency
 */
export function describeDecisions(decisions: readonly Decision[], most = Infinity): string[] {
  return decisions.flatMap(({ dependency, neededBy, candidates }) => [
    `${formatCapability(dependency)}, which ${neededBy} needs:`,
    ...(candidates.length === 0
      ? [`  nothing provides ${formatCapability(dependency)}: import a package that does`]
      : []),
    ...candidates.slice(0, most).map(({ name, verdict, reason }) => `  ${name} ${verdict}, because ${reason}`),
    ...(candidates.length > most ? [`  and ${candidates.length - most} more`] : []),
  ])
}
