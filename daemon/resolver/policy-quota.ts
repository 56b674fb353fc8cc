import { quotaOf, remainingQuota } from '../packages/policy/quota.js'
import type { QuotaFor } from '../store/package-quota.js'
import type { PackageRepository } from '../store/repositories.js'
import type { Resolver } from './resolver.js'

/**
 * What one more package may measure by the current policies.
 *
 * @param packageBytes limit of a package that no policy mentions
 */
export function policyQuota(
  resolver: Pick<Resolver, 'policies'>,
  packages: Pick<PackageRepository, 'totalLength'>,
  packageBytes: number,
): QuotaFor {
  return async (namespace) => {
    const quota = quotaOf(await resolver.policies(), namespace, packageBytes)
    return await remainingQuota(quota, (realm) => packages.totalLength(realm))
  }
}
