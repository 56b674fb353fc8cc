import type { FqnKind } from '../../../base/fqn.js'
import type { Ref } from '../repositories.js'

/** The `WHERE` clause of a reference, and its parameters. */
export function whereRef(ref: Ref): { readonly where: string; readonly values: readonly string[] } {
  return 'uuid' in ref
    ? { where: 'uuid = ?', values: [ref.uuid.toLowerCase()] }
    : { where: 'namespace = ? AND name = ?', values: [ref.namespace, ref.name] }
}

/** The `WHERE` clause of a namespace and those below it, in a form that can use an index on the namespace. */
export function whereNamespace(namespace: string): { readonly where: string; readonly values: readonly string[] } {
  if (namespace === '/') return { where: 'TRUE', values: [] }
  // `0` follows `/` in ASCII, so this is everything that begins with `/ns/`.
  return {
    where: '(namespace = ? OR (namespace >= ? AND namespace < ?))',
    values: [namespace, `${namespace}/`, `${namespace}0`],
  }
}

/**
 * The condition on a column of full names: that they are in one of these namespaces, or below it. As above, in ASCII: `;`
 * follows `:`.
 */
export function whereFqnWithin(
  column: string,
  kind: FqnKind,
  namespaces: readonly string[],
): { readonly where: string; readonly values: readonly string[] } {
  if (namespaces.includes('/')) return { where: 'TRUE', values: [] }
  const bounds = namespaces.flatMap((namespace) => {
    const start = `${kind}::${namespace}`
    return [
      [`${start}::`, `${start}:;`],
      [`${start}/`, `${start}0`],
    ]
  })
  const conditions = bounds.map(() => `(${column} >= ? AND ${column} < ?)`)
  return { where: `(${['FALSE', ...conditions].join(' OR ')})`, values: bounds.flat() }
}
