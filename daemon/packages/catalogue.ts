import type { Package } from './package.js'
import { subjectRules, type PolicySubject, type NamedPolicy, type Purpose } from './policy/subject-rules.js'
import type { PackageIndex } from './resolution/package-index.js'
import type { Rules } from './resolution/rules.js'

/** What resolutions choose from, and by which rules, at one moment. */
export interface Catalogue {
  /** Packages that are ready, in order of import. */
  readonly ready: readonly Package[]
  readonly index: PackageIndex
  readonly rulesOf: (job: PolicySubject, purpose: Purpose) => Rules
}

/** Without an argument nothing is claimed, and everything resolves. */
export function catalogueOf(
  ready: readonly Package[],
  index: PackageIndex,
  policies: readonly NamedPolicy[] = [],
): Catalogue {
  return { ready, index, rulesOf: (job, purpose) => subjectRules(policies, job, purpose) }
}
