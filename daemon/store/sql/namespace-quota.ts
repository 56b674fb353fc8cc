import { DEFAULT_PACKAGE_SIZE, quotaOf, remainingQuota, type Quota } from '../../packages/policy/quota.js'
import { ParsedPolicies } from '../../packages/policy/parsed-policies.js'
import { overPackageSize, overTotal } from '../package-quota.js'
import { sql, type Work } from './work.js'
import { HistoryUse } from './history-use.js'
import type { SqlPolicies } from './policies.js'
import { whereNamespace } from './references.js'

/**
 * Decides on quotas inside the transaction that makes a package larger, so that no two writers can pass it together.
 * `PackageTable` reports every growth, so no path around it exists.
 *
 * INVARIANTS
 * - The total of a realm is checked once all rows of a transaction are written: a set may make one package larger and
 *   another one smaller.
 * - A realm that is over its total already, because the quota was lowered, can still shrink.
 * - Earlier results of packages count too, and give way: the oldest are dropped before anything is refused.
 */
export class NamespaceQuota {
  readonly #policies: Pick<SqlPolicies, 'inForce'>
  readonly #packageBytes: number
  readonly #history: HistoryUse
  readonly #parsed = new ParsedPolicies()

  /** @param packageBytes limit of a package that no policy mentions */
  constructor(policies: Pick<SqlPolicies, 'inForce'>, packageBytes = DEFAULT_PACKAGE_SIZE) {
    this.#policies = policies
    this.#packageBytes = packageBytes
    this.#history = new HistoryUse()
  }

  /** The maximum size of the next upload to the namespace, in bytes. To be called inside a transaction. */
  *remaining(namespace: string): Work<number> {
    const quota = yield* this.#of(namespace)
    const used = new Map<string, number>()
    for (const { namespace: realm } of quota.totals) used.set(realm, yield* this.#used(realm))
    return remainingQuota(quota, (realm) => used.get(realm) ?? 0)
  }

  /**
   * To be called inside a transaction, for a package in `namespace` that will have more data than before.
   *
   * Throws `Refused` (`package-quota`); so does the end of the transaction, if a total is exceeded then.
   *
   * @param length of its data, in bytes
   */
  *admitGrowth(namespace: string, length: number): Work<void> {
    const quota = yield* this.#of(namespace)
    if (length > quota.packageSize) throw overPackageSize(namespace, length, quota.packageSize)
    for (const { namespace: realm, bytes } of quota.totals)
      yield* sql.beforeCommit(`quota of ${realm}`, () => this.#refuseOver(realm, bytes))
    yield* this.makeRoom(namespace)
  }

  /**
   * To be called inside a transaction, when the history of a package in `namespace` or a package itself may have more
   * data than before.
   */
  *makeRoom(namespace: string): Work<void> {
    for (const { namespace: realm, bytes } of (yield* this.#of(namespace)).totals)
      yield* sql.beforeCommit(`history of ${realm}`, () => this.#shrinkHistory(realm, bytes))
  }

  *#refuseOver(realm: string, bytes: number): Work<void> {
    const used = yield* this.#used(realm)
    if (used > bytes) throw overTotal(realm, used, bytes)
  }

  *#shrinkHistory(realm: string, bytes: number): Work<void> {
    while ((yield* this.#used(realm)) + (yield* this.#history.of(realm)) > bytes)
      if (!(yield* this.#history.dropOldest(realm))) return
  }

  *#of(namespace: string): Work<Quota> {
    return quotaOf(this.#parsed.of(yield* this.#policies.inForce()), namespace, this.#packageBytes)
  }

  /** The bytes of all packages in and below a realm. */
  *#used(realm: string): Work<number> {
    const { where, values } = whereNamespace(realm)
    return (
      (yield* sql.one<{ total: number }>(
        `SELECT coalesce(sum(CAST(json_extract(resource, '$.length') AS BIGINT)), 0) AS total FROM packages WHERE ${where}`,
        ...values,
      ))?.total ?? 0
    )
  }
}
