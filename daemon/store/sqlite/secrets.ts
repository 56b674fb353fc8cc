import { BadInput, NotFound } from '../../../base/errors.js'
import { quote } from '../../../base/fqn.js'
import { MOST_SECRETS } from '../../model/secret-limits.js'
import { notFound } from '../not-found.js'
import type { SealedSecret, SecretRepository } from '../secret-repository.js'
import type { StagerdDatabase } from './database.js'

interface SecretRow {
  readonly stager: string
  readonly name: string
  readonly sealed: Buffer
  readonly updated_at: string
}

export class SqliteSecrets implements SecretRepository {
  readonly #database: StagerdDatabase

  constructor(database: StagerdDatabase) {
    this.#database = database
  }

  ofStaging(uuid: string): Promise<Uint8Array | undefined> {
    return this.#database.read(
      () =>
        this.#database
          .statement<Pick<SecretRow, 'sealed'>>(
            'SELECT sealed FROM staging_secrets JOIN stagings ON staging = sequence WHERE uuid = ?',
          )
          .get(uuid)?.sealed,
    )
  }

  ofStagers(uuids: readonly string[]): Promise<readonly SealedSecret[]> {
    return this.#database.read(() => uuids.flatMap((uuid) => this.#of(uuid)))
  }

  put({ stagerUuid, name, sealed }: Omit<SealedSecret, 'updatedAt'>): Promise<SealedSecret> {
    return this.#database.write(() => {
      if (!this.#database.statement('SELECT 1 FROM stagers WHERE uuid = ?').get(stagerUuid))
        throw notFound('job', { uuid: stagerUuid })
      const others = this.#of(stagerUuid).filter((one) => one.name !== name)
      if (others.length >= MOST_SECRETS)
        throw new BadInput(
          'too-many-secrets',
          `The stager has ${others.length} secrets, and one more is too many: remove one first.`,
        )
      const updatedAt = new Date().toISOString()
      this.#database
        .statement('INSERT OR REPLACE INTO stager_secrets (stager, name, sealed, updated_at) VALUES (?, ?, ?, ?)')
        .run(stagerUuid, name, sealed, updatedAt)
      return { stagerUuid, name, sealed, updatedAt }
    })
  }

  delete(stagerUuid: string, name: string): Promise<SealedSecret> {
    return this.#database.write(() => {
      const found = this.#of(stagerUuid).find((one) => one.name === name)
      if (!found)
        throw new NotFound(
          'secret-not-found',
          `The stager has no secret ${quote(name)}: see 'stagectl stager secret list'.`,
        )
      this.#database.statement('DELETE FROM stager_secrets WHERE stager = ? AND name = ?').run(stagerUuid, name)
      return found
    })
  }

  #of(stagerUuid: string): SealedSecret[] {
    return this.#database
      .statement<SecretRow>('SELECT * FROM stager_secrets WHERE stager = ? ORDER BY name')
      .all(stagerUuid)
      .map(({ stager, name, sealed, updated_at: updatedAt }) => ({ stagerUuid: stager, name, sealed, updatedAt }))
  }
}
