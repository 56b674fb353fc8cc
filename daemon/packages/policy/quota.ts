import { isWithin } from './policy.js'
import type { NamedPolicy } from './subject-rules.js'

/** Size limit of one package without a policy claim: 2 GB. */
export const DEFAULT_PACKAGE_SIZE = 2 * 2 ** 30

export interface Quota {
  /** Limit for one package, in bytes. */
  readonly packageSize: number
  /** Limits for all packages of a realm together, in bytes. */
  readonly totals: readonly { readonly namespace: string; readonly bytes: number }[]
}

/**
 * The maximum size of the next upload to the namespace, in bytes. Data that the upload replaces still counts, because
 * both versions are stored until the upload succeeds.
 *
 * @param used returns the bytes of all packages in a realm
 */
export function remainingQuota(quota: Quota, used: (namespace: string) => number): number {
  const remaining = quota.totals.map(({ namespace, bytes }) => bytes - used(namespace))
  return Math.max(0, Math.min(quota.packageSize, ...remaining))
}

/**
 * The quota of a namespace by all policy documents. The nearest `quota` realm sets the size limit of one package; if it
 * has several such claims, the last one wins. All totals apply, each to the whole of its realm.
 *
 * @param defaultSize size limit of one package without a claim, in bytes
 */
export function quotaOf(
  policies: readonly NamedPolicy[],
  namespace: string,
  defaultSize = DEFAULT_PACKAGE_SIZE,
): Quota {
  let packageSize = defaultSize
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
