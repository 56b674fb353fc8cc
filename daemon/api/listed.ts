import { INTERNAL_NAMESPACE } from '../../base/fqn.js'

/** What a list shows. What only stagerd uses is shown to those who ask for its namespace. */
export function listed<T extends { readonly namespace: string }>(
  found: readonly T[],
  { namespace }: { readonly namespace?: string | undefined },
): readonly T[] {
  return namespace === INTERNAL_NAMESPACE ? found : found.filter((one) => one.namespace !== INTERNAL_NAMESPACE)
}
