import { formatFqn } from '../../base/fqn.js'

/**
 * FQN of the package that holds a stager's program. Not of the stager's own name: an application of that name would then
 * be taken for its program, and the other way round.
 */
export function programPackageOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return formatFqn('package', { namespace, name: `stager-${name}` })
}
