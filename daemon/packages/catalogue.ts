import type { Package } from './package.js'
import { subjectRules, type PolicySubject, type NamedPolicy, type Purpose } from './policy/subject-rules.js'
import type { PackageIndex } from './resolution/package-index.js'
import type { Rules } from './resolution/rules.js'

/** The packages and policy rules of one moment, for resolutions. */
export interface Catalogue {
  /** The usable packages, in order of import. */
  readonly usable: readonly Package[]
  readonly index: PackageIndex
  readonly rulesOf: (subject: PolicySubject, purpose: Purpose) => Rules
}

/** Without `policies`, there are no rules. */
export function catalogueOf(
  usable: readonly Package[],
  index: PackageIndex,
  policies: readonly NamedPolicy[] = [],
): Catalogue {
  return { usable, index, rulesOf: (subject, purpose) => subjectRules(policies, subject, purpose) }
}
