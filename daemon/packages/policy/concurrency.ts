import type { NamedPolicy } from './subject-rules.js'

/**
 * How many stagings may run at once, by namespace, each limit for the whole of its realm: that of `/` is for all. Of several
 * claims for one realm, the lowest applies.
 */
export function concurrencyLimits(policies: readonly NamedPolicy[]): ReadonlyMap<string, number> {
  const limits = new Map<string, number>()
  for (const { realm, claim } of policies.flatMap(({ policy }) => policy)) {
    if (claim.kind !== 'concurrency') continue
    limits.set(realm.namespace, Math.min(claim.limit, limits.get(realm.namespace) ?? Infinity))
  }
  return limits
}

/**
 * Those of these realms in which as many run as may.
 *
 * @param running the namespaces of the packages whose stagings run, one for each staging
 */
export function fullRealms(limits: ReadonlyMap<string, number>, running: Iterable<string>): readonly string[] {
  const counts = new Map<string, number>()
  for (const namespace of running)
    for (const realm of realmsOf(namespace)) counts.set(realm, (counts.get(realm) ?? 0) + 1)
  return [...limits].filter(([realm, limit]) => (counts.get(realm) ?? 0) >= limit).map(([realm]) => realm)
}

/** The namespace itself, and all above it. */
function* realmsOf(namespace: string): Generator<string> {
  for (let at = namespace; at !== '/'; at = at.slice(0, at.lastIndexOf('/')) || '/') yield at
  yield '/'
}
