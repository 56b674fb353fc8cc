import { DEFAULT_PACKAGE_SIZE, quotaOf, remainingQuota, type Quota } from '../../packages/policy/quota.js'
import { ParsedPolicies } from '../../packages/policy/parsed-policies.js'
import { overPackageSize, overTotal } from '../package-quota.js'
import type { StagerdDatabase } from './database.js'
import { HistoryUse } from './history-use.js'
import type { SqlitePolicies } from './policies.js'
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
  readonly #database: StagerdDatabase
  readonly #policies: Pick<SqlitePolicies, 'inForce'>
  readonly #packageBytes: number
  readonly #history: HistoryUse
  readonly #parsed = new ParsedPolicies()

  /** @param packageBytes limit of a package that no policy mentions */
  constructor(
    database: StagerdDatabase,
    policies: Pick<SqlitePolicies, 'inForce'>,
    packageBytes = DEFAULT_PACKAGE_SIZE,
  ) {
    this.#database = database
    this.#policies = policies
    this.#packageBytes = packageBytes
    this.#history = new HistoryUse(database)
  }

  /** The maximum size of the next upload to the namespace, in bytes. To be called inside a transaction. */
  remaining(namespace: string): number {
    return remainingQuota(this.#of(namespace), (realm) => this.#used(realm))
  }

  /**
   * To be called inside a transaction, for a package in `namespace` that will have more data than before.
   *
   * Throws `Refused` (`package-quota`); so does the end of the transaction, if a total is exceeded then.
   *
   * @param length of its data, in bytes
   */
  admitGrowth(namespace: string, length: number): void {
    const quota = this.#of(namespace)
    if (length > quota.packageSize) throw overPackageSize(namespace, length, quota.packageSize)
    for (const { namespace: realm, bytes } of quota.totals)
      this.#database.beforeCommit(`quota of ${realm}`, () => {
        const used = this.#used(realm)
        if (used > bytes) throw overTotal(realm, used, bytes)
      })
    this.makeRoom(namespace)
  }

  /**
   * To be called inside a transaction, when the history of a package in `namespace` or a package itself may have more
   * data than before.
   */
  makeRoom(namespace: string): void {
    for (const { namespace: realm, bytes } of this.#of(namespace).totals)
      this.#database.beforeCommit(`history of ${realm}`, () => {
        while (this.#used(realm) + this.#history.of(realm) > bytes) if (!this.#history.dropOldest(realm)) return
      })
  }

  #of(namespace: string): Quota {
    return quotaOf(this.#parsed.of(this.#policies.inForce()), namespace, this.#packageBytes)
  }

  /** The bytes of all packages in and below a realm. */
  #used(realm: string): number {
    const { where, values } = whereNamespace(realm)
    return (
      this.#database
        .statement<{ total: number }>(
          `SELECT coalesce(sum(json_extract(resource, '$.length')), 0) AS total FROM packages WHERE ${where}`,
        )
        .get(...values)?.total ?? 0
    )
  }
}
