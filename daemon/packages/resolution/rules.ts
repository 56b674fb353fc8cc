import type { Capability } from '../metadata.js'
import type { Package } from '../package.js'

/** The policy rules of one resolution. Evaluated once for each dependency. */
export interface Rules {
  /** Undefined if no rule applies. */
  of(dependency: Capability): DependencyRules | undefined
}

export interface DependencyRules {
  /**
   * Why the candidate is refused, as a predicate after the package name: `is retired by policydoc::/::rules, line 1`.
   */
  objection(candidate: Package): string | undefined
  /** Rank of the candidate: a smaller one is preferred. Infinity without a default. */
  preference(candidate: Package): number
  /** The rule that makes the candidate a default, for the explanation. */
  preferredBy(candidate: Package): string | undefined
  /** The rule that locks the dependency to the candidate, for the explanation. */
  lockedBy(candidate: Package): string | undefined
}

/** No restrictions. */
export const NO_RULES: Rules = { of: () => undefined }
