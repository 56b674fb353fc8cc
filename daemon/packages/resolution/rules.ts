import type { Capability } from '../metadata.js'
import type { Package } from '../package.js'

/** What policy says to one resolution. It is asked, for each dependency, once. */
export interface Rules {
  /** Undefined where nothing is said of it. */
  of(dependency: Capability): DependencyRules | undefined
}

export interface DependencyRules {
  /** In words that follow the name of the package, such as `is retired by policydoc::/::rules`. */
  objection(candidate: Package): string | undefined
  /** The smaller, the better; Infinity for what no default names. */
  preference(candidate: Package): number
  /** Who says that this one is preferred, for the explanation. */
  preferredBy(candidate: Package): string | undefined
  /** Who demands this very one, for the explanation. */
  lockedBy(candidate: Package): string | undefined
}

/** Everything resolves. */
export const NO_RULES: Rules = { of: () => undefined }
