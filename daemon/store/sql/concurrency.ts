import { parseFqn } from '../../../base/fqn.js'
import { concurrencyLimits, fullRealms } from '../../packages/policy/concurrency.js'
import { ParsedPolicies } from '../../packages/policy/parsed-policies.js'
import type { SqlPolicies } from './policies.js'
import { STAGING } from './states.js'
import { sql, type Work } from './work.js'

/** The limits that policies set to the number of running stagings, inside the transaction that admits one. */
export class Concurrency {
  readonly #policies: Pick<SqlPolicies, 'inForce'>
  readonly #parsed = new ParsedPolicies()

  constructor(policies: Pick<SqlPolicies, 'inForce'>) {
    this.#policies = policies
  }

  /** How many may run in and below namespaces. */
  *limits(): Work<ReadonlyMap<string, number>> {
    return concurrencyLimits(this.#parsed.of(yield* this.#policies.inForce()))
  }

  /** Namespaces in and below which none may begin now. One that was interrupted counts: it keeps its place until it ends. */
  *full(): Work<readonly string[]> {
    const limits = yield* this.limits()
    if (limits.size === 0) return []
    // Only where there are limits: admissions that have read this conflict with each other.
    const running = yield* sql.all<{ package_fqn: string }>(
      `SELECT package_fqn FROM stagings WHERE state = ${STAGING.running}`,
    )
    return fullRealms(
      limits,
      running.map((row) => parseFqn(row.package_fqn, 'package', '/').namespace),
    )
  }
}
