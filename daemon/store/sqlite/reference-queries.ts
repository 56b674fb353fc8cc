import { SOURCE_HOLDING_STATES } from '../../model/staging.js'
import type { Resource } from '../../packages/package.js'
import type { ReferenceRepository, StagingAge } from '../reference-repository.js'
import type { StagerdDatabase } from './database.js'
import { listOf, OPEN_STAGING } from './states.js'

const WITH_SOURCE = listOf(SOURCE_HOLDING_STATES)

export class SqliteReferences implements ReferenceRepository {
  readonly #database: StagerdDatabase

  constructor(database: StagerdDatabase) {
    this.#database = database
  }

  resources(): Promise<readonly Pick<Resource, 'sha256' | 'removals'>[]> {
    return this.#database.read(() =>
      this.#database
        .statement<{ resource: string }>(
          `SELECT resource FROM packages WHERE resource IS NOT NULL
           UNION ALL SELECT json_extract(work, '$.resource') FROM stagings WHERE state IN ${OPEN_STAGING}
           -- A staging that failed or was cancelled can be retried with its source.
           UNION ALL SELECT json_extract(source, '$.resource') FROM stagings
           WHERE source IS NOT NULL AND state IN ${WITH_SOURCE}`,
        )
        .all()
        .map(({ resource }) => JSON.parse(resource) as Resource),
    )
  }

  history(): Promise<readonly string[]> {
    return this.#digests('SELECT sha256 FROM package_result_data UNION SELECT sha256 FROM package_outputs')
  }

  results(): Promise<readonly string[]> {
    return this.#digests('SELECT DISTINCT sha256 FROM package_result_data')
  }

  #digests(sql: string): Promise<readonly string[]> {
    return this.#database.read(() =>
      this.#database
        .statement<{ sha256: string }>(sql)
        .all()
        .map(({ sha256 }) => sha256),
    )
  }

  refersTo(sha256: string): Promise<boolean> {
    return this.#database.read(
      () =>
        this.#database
          .statement(
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
          )
          .get(sha256, sha256, sha256, sha256, sha256, sha256) !== undefined,
    )
  }

  stagings(): Promise<readonly StagingAge[]> {
    return this.#database.read(() =>
      this.#database
        .statement<{ uuid: string; ended_at: string | null }>('SELECT uuid, ended_at FROM stagings')
        .all()
        .map(({ uuid, ended_at }) => ({ uuid, endedAt: ended_at === null ? undefined : new Date(ended_at) })),
    )
  }

  forgetStagings(uuids: readonly string[]): Promise<readonly string[]> {
    return this.#database.write(() =>
      uuids.filter(
        (uuid) =>
          this.#database
            .statement(
              // A delivery that waits tells of its staging.
              `DELETE FROM stagings WHERE uuid = ? AND ended_at IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM webhook_deliveries WHERE staging = stagings.uuid)`,
            )
            .run(uuid).changes === 1,
      ),
    )
  }
}
