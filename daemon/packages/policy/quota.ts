import { isWithin } from './policy.js'
import type { NamedPolicy } from './subject-rules.js'

/** Of one package, unless policy says otherwise: 2 GB. */
export const DEFAULT_PACKAGE_SIZE = 2 * 2 ** 30

export interface Quota {
  /** Of one package, in bytes. */
  readonly packageSize: number
  /** Of all packages of one realm together, each with the realm's namespace; in bytes. */
  readonly totals: readonly { readonly namespace: string; readonly bytes: number }[]
}

/**
 * What one more package of the namespace may measure now, in bytes. Data that is about to be replaced still counts, so
 * that two versions of it fit side by side while the new one is not yet sure.
 *
 * @param used bytes of all packages in a realm
 */
export async function roomIn(quota: Quota, used: (namespace: string) => Promise<number>): Promise<number> {
  const rooms = await Promise.all(quota.totals.map(async ({ namespace, bytes }) => bytes - (await used(namespace))))
  return Math.max(0, Math.min(quota.packageSize, ...rooms))
}

/**
 * What the documents together allow the packages of a namespace to measure. The nearest `quota` realm decides on the
 * size of one package, the last of its claims where there are several; totals all hold, each for the whole of its realm.
 *
 * @param otherwise size of one package where no claim speaks of it, in bytes
 */
export function quotaOf(policies: readonly NamedPolicy[], namespace: string, otherwise = DEFAULT_PACKAGE_SIZE): Quota {
  let packageSize = otherwise
  let nearest = -1
  const totals: { namespace: string; bytes: number }[] = []
  for (const { realm, claim } of policies.flatMap(({ policy }) => policy)) {
    if (realm.kind !== 'quota' || claim.kind !== 'quota' || !isWithin(namespace, realm.namespace)) continue
    if (claim.of === 'total.package.size') totals.push({ namespace: realm.namespace, bytes: claim.bytes })
    else if (realm.namespace.length >= nearest) {
      nearest = realm.namespace.length
      packageSize = claim.bytes
    }
  }
  return { packageSize, totals }
}
