import type { Verification, VerificationRepository, VerifiedKind } from '../verification-repository.js'
import { sql, type Transactions } from './work.js'

interface VerificationRow {
  readonly kind: VerifiedKind
  readonly id: string
  readonly verified_at: string
  readonly damaged: string | null
}

/** What one node knows of its files. */
export class SqlVerifications implements VerificationRepository {
  readonly #transactions: Transactions
  readonly #node: string

  constructor(transactions: Transactions, node: string) {
    this.#transactions = transactions
    this.#node = node
  }

  all(): Promise<readonly Verification[]> {
    return this.#transactions.read(function* () {
      const rows = yield* sql.all<VerificationRow>('SELECT * FROM verifications WHERE node = ?', this.#node)
      return rows.map(({ kind, id, verified_at, damaged }) => ({
        ...{ kind, id },
        at: new Date(verified_at),
        damaged: damaged ?? undefined,
      }))
    }, this)
  }

  record(changed: readonly Verification[], forgotten: readonly Pick<Verification, 'kind' | 'id'>[]): Promise<void> {
    return this.#transactions.write(function* () {
      for (const { kind, id, at, damaged = null } of changed)
        yield* sql.run(
          `INSERT INTO verifications (node, kind, id, verified_at, damaged) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (node, kind, id) DO UPDATE SET verified_at = excluded.verified_at, damaged = excluded.damaged`,
          ...[this.#node, kind, id, at.toISOString(), damaged],
        )
      for (const { kind, id } of forgotten)
        yield* sql.run('DELETE FROM verifications WHERE node = ? AND kind = ? AND id = ?', this.#node, kind, id)
    }, this)
  }
}
