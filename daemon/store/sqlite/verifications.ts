import type { Verification, VerificationRepository, VerifiedKind } from '../verification-repository.js'
import type { StagerdDatabase } from './database.js'

interface VerificationRow {
  readonly kind: VerifiedKind
  readonly id: string
  readonly verified_at: string
  readonly damaged: string | null
}

export class SqliteVerifications implements VerificationRepository {
  readonly #database: StagerdDatabase

  constructor(database: StagerdDatabase) {
    this.#database = database
  }

  all(): Promise<readonly Verification[]> {
    return this.#database.read(() =>
      this.#database
        .statement<VerificationRow>('SELECT * FROM verifications')
        .all()
        .map(({ kind, id, verified_at, damaged }) => ({
          ...{ kind, id },
          at: new Date(verified_at),
          damaged: damaged ?? undefined,
        })),
    )
  }

  record(changed: readonly Verification[], forgotten: readonly Pick<Verification, 'kind' | 'id'>[]): Promise<void> {
    return this.#database.write(() => {
      for (const { kind, id, at, damaged = null } of changed)
        this.#database
          .statement('INSERT OR REPLACE INTO verifications (kind, id, verified_at, damaged) VALUES (?, ?, ?, ?)')
          .run(kind, id, at.toISOString(), damaged)
      for (const { kind, id } of forgotten)
        this.#database.statement('DELETE FROM verifications WHERE kind = ? AND id = ?').run(kind, id)
    })
  }
}
