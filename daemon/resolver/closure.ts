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
  const { namespace, name, uuid } = subject
  return resolver.with(({ index, rulesOf }) => {
    const rules = rulesOf({ namespace, name }, 'run')
    const fqn = formatFqn({ kind: 'package', namespace, name })
    return resolve({ subject: fqn, dependencies, index, rules, exclude: uuid }).packages
  })
}
