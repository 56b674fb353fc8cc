import { formatFqn } from '../../base/fqn.js'
import type { Capability } from '../packages/metadata.js'
import type { Package } from '../packages/package.js'
import { resolve } from '../packages/resolve.js'
import type { Resolver } from './resolver.js'

/** The packages that `subject` needs to run, by the rules for `subject`. Throws `Unresolved`, `Refused` (`policy`). */
export function closureOf(
  resolver: Resolver,
  subject: Package,
  dependencies: readonly Capability[],
): Promise<readonly Package[]> {
  return resolver.with(({ index, rulesOf }) => {
    const rules = rulesOf(subject, 'run')
    const fqn = formatFqn('package', subject)
    return resolve({ subject: fqn, dependencies, index, rules, exclude: subject.uuid }).packages
  })
}
