import { formatFqn } from '../../base/fqn.js'

/**
 * The FQN of the package with the program of a stager. It differs from the name of the stager, so that it cannot be
 * confused with an application of that name.
 */
export function programPackageOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return formatFqn('package', { namespace, name: `stager-${name}` })
}
