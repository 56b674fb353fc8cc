import { SOURCE_HOLDING_STATES } from '../../model/staging.js'
import type { Resource } from '../../packages/package.js'
import type { ReferenceRepository, StagingAge } from '../reference-repository.js'
import { sql, type Transactions } from './work.js'
import { listOf, OPEN_STAGING } from './states.js'

const WITH_SOURCE = listOf(SOURCE_HOLDING_STATES)

export class SqlReferences implements ReferenceRepository {
  readonly #transactions: Transactions

  constructor(transactions: Transactions) {
    this.#transactions = transactions
  }

  resources(): Promise<readonly Pick<Resource, 'sha256' | 'removals'>[]> {
    return this.#transactions.read(function* () {
      const rows = yield* sql.all<{ resource: string }>(
        `SELECT resource FROM packages WHERE resource IS NOT NULL
         UNION ALL SELECT json_extract(work, '$.resource') FROM stagings WHERE state IN ${OPEN_STAGING}
         -- A staging that failed or was cancelled can be retried with its source.
         UNION ALL SELECT json_extract(source, '$.resource') FROM stagings
         WHERE source IS NOT NULL AND state IN ${WITH_SOURCE}`,
      )
      return rows.map(({ resource }) => JSON.parse(resource) as Resource)
    })
  }

  history(): Promise<readonly string[]> {
    return this.#digests('SELECT sha256 FROM package_result_data UNION SELECT sha256 FROM package_outputs')
  }

  results(): Promise<readonly string[]> {
    return this.#digests('SELECT DISTINCT sha256 FROM package_result_data')
  }

  #digests(text: string): Promise<readonly string[]> {
    return this.#transactions.read(function* () {
      return (yield* sql.all<{ sha256: string }>(text)).map(({ sha256 }) => sha256)
    })
  }

  refersTo(sha256: string): Promise<boolean> {
    return this.#transactions.read(function* () {
      const row = yield* sql.one(
        `SELECT 1 FROM packages WHERE json_extract(resource, '$.sha256') = ?
         UNION ALL SELECT 1 FROM package_result_data WHERE sha256 = ?
         UNION ALL SELECT 1 FROM package_outputs WHERE sha256 = ?
         UNION ALL SELECT 1 FROM stagings
         WHERE source IS NOT NULL AND json_extract(source, '$.resource.sha256') = ?
         UNION ALL SELECT 1 FROM stagings
         WHERE input IS NOT NULL AND json_extract(input, '$.resource.sha256') = ?
         UNION ALL SELECT 1 FROM stagings
         WHERE state IN ${OPEN_STAGING} AND json_extract(work, '$.resource.sha256') = ?
         LIMIT 1`,
        ...Array.from({ length: 6 }, () => sha256),
      )
      return row !== undefined
    })
  }

  stagings(): Promise<readonly StagingAge[]> {
    return this.#transactions.read(function* () {
      const rows = yield* sql.all<{ uuid: string; ended_at: string | null }>('SELECT uuid, ended_at FROM stagings')
      return rows.map(({ uuid, ended_at }) => ({
        uuid,
        endedAt: ended_at === null ? undefined : new Date(ended_at),
      }))
    })
  }

  forgetStagings(uuids: readonly string[]): Promise<readonly string[]> {
    return this.#transactions.write(function* () {
      const forgotten: string[] = []
      for (const uuid of uuids) {
        const changes = yield* sql.run(
          // A delivery that waits tells of its staging.
          `DELETE FROM stagings WHERE uuid = ? AND ended_at IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM webhook_deliveries WHERE staging = stagings.uuid)`,
          uuid,
        )
        if (changes === 1) forgotten.push(uuid)
      }
      return forgotten
    })
  }
}
