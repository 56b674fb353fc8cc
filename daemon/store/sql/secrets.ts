import { BadInput, NotFound } from '../../../base/errors.js'
import { quote } from '../../../base/fqn.js'
import { MOST_SECRETS } from '../../model/secret-limits.js'
import { notFound } from '../not-found.js'
import type { SealedSecret, SecretRepository } from '../secret-repository.js'
import { sql, type Transactions, type Work } from './work.js'

interface SecretRow {
  readonly stager: string
  readonly name: string
  readonly sealed: Buffer
  readonly updated_at: string
}

export class SqlSecrets implements SecretRepository {
  readonly #transactions: Transactions

  constructor(transactions: Transactions) {
    this.#transactions = transactions
  }

  ofStaging(uuid: string): Promise<Uint8Array | undefined> {
    return this.#transactions.read(function* () {
      const row = yield* sql.one<Pick<SecretRow, 'sealed'>>(
        'SELECT sealed FROM staging_secrets JOIN stagings ON staging = sequence WHERE uuid = ?',
        uuid,
      )
      return row?.sealed
    })
  }

  ofStagers(uuids: readonly string[]): Promise<readonly SealedSecret[]> {
    return this.#transactions.read(function* () {
      const secrets: SealedSecret[] = []
      for (const uuid of uuids) secrets.push(...(yield* this.#of(uuid)))
      return secrets
    }, this)
  }

  put({ stagerUuid, name, sealed }: Omit<SealedSecret, 'updatedAt'>): Promise<SealedSecret> {
    return this.#transactions.write(function* () {
      if (!(yield* sql.one('SELECT 1 FROM stagers WHERE uuid = ?', stagerUuid)))
        throw notFound('job', { uuid: stagerUuid })
      const others = (yield* this.#of(stagerUuid)).filter((one) => one.name !== name)
      if (others.length >= MOST_SECRETS)
        throw new BadInput(
          'too-many-secrets',
          `The stager has ${others.length} secrets, and one more is too many: remove one first.`,
        )
      const updatedAt = new Date().toISOString()
      yield* sql.run(
        `INSERT INTO stager_secrets (stager, name, sealed, updated_at) VALUES (?, ?, ?, ?)
         ON CONFLICT (stager, name) DO UPDATE SET sealed = excluded.sealed, updated_at = excluded.updated_at`,
        stagerUuid,
        name,
        sealed,
        updatedAt,
      )
      return { stagerUuid, name, sealed, updatedAt }
    }, this)
  }

  delete(stagerUuid: string, name: string): Promise<SealedSecret> {
    return this.#transactions.write(function* () {
      const found = (yield* this.#of(stagerUuid)).find((one) => one.name === name)
      if (!found)
        throw new NotFound(
          'secret-not-found',
          `The stager has no secret ${quote(name)}: see 'stagectl stager secret list'.`,
        )
      yield* sql.run('DELETE FROM stager_secrets WHERE stager = ? AND name = ?', stagerUuid, name)
      return found
    }, this)
  }

  *#of(stagerUuid: string): Work<SealedSecret[]> {
    return (yield* sql.all<SecretRow>('SELECT * FROM stager_secrets WHERE stager = ? ORDER BY name', stagerUuid)).map(
      ({ stager, name, sealed, updated_at: updatedAt }) => ({ stagerUuid: stager, name, sealed, updatedAt }),
    )
  }
}
