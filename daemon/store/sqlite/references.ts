import { formatFqn, type FqnKind } from '../../../base/fqn.js'
import type { Ref } from '../repositories.js'

/** The `WHERE` of a reference, and what it binds. */
export function whereRef(ref: Ref): { readonly where: string; readonly values: readonly string[] } {
  return 'uuid' in ref
    ? { where: 'uuid = ?', values: [ref.uuid.toLowerCase()] }
    : { where: 'namespace = ? AND name = ?', values: [ref.namespace, ref.name] }
}

/** This namespace and all below it, in words that an index on the namespace can answer. */
export function whereNamespace(namespace: string): { readonly where: string; readonly values: readonly string[] } {
  if (namespace === '/') return { where: 'TRUE', values: [] }
  // `0` is the character that follows `/`: everything that begins with `/ns/`.
  return {
    where: '(namespace = ? OR (namespace >= ? AND namespace < ?))',
    values: [namespace, `${namespace}/`, `${namespace}0`],
  }
}

/** For messages. */
export function describeRef(ref: Ref, kind: FqnKind): string {
  return 'uuid' in ref ? ref.uuid : formatFqn(kind, ref)
}
