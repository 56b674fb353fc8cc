import { BadInput, Conflict, errnoOf, Fault } from '../../../base/errors.js'
import type { BackupRepository, Restored } from '../backup-repository.js'
import type { ReferenceRepository } from '../reference-repository.js'
import { storageError } from '../storage-errors.js'
import { AWAITED } from '../sql/awaited-sources.js'
import { BOOTSTRAP, listOf, OPEN_STAGING, STAGING } from '../sql/states.js'
import { StagerdDatabase } from './database.js'
import { MIGRATIONS } from './migrations.js'

/** What a user has made, by the word for it. */
const CONTENT = {
  package: 'packages',
  stager: 'stagers',
  pipeline: 'pipelines',
  policy: 'policies',
  staging: 'stagings',
  token: 'tokens',
  webhook: 'webhooks',
} as const

/** Who uses the database. A restore leaves them as they are: terms that are open go on, and their numbers are not given again. */
const OF_THE_FLEET = ['terms', 'nodes']

export class SqliteBackups implements BackupRepository {
  readonly schema = MIGRATIONS.at(-1)?.version ?? 0
  readonly #database: StagerdDatabase
  readonly #references: Pick<ReferenceRepository, 'resources' | 'results'>
  readonly #replaced: () => void

  /** @param replaced forgets what is remembered of the tables */
  constructor(
    database: StagerdDatabase,
    references: Pick<ReferenceRepository, 'resources' | 'results'>,
    replaced: () => void,
  ) {
    this.#database = database
    this.#references = references
    this.#replaced = replaced
  }

  async copyTo(file: string): Promise<readonly string[]> {
    // All three read the same state: none of them waits, and nothing else writes to the database meanwhile.
    const [, resources, results] = await Promise.all([
      this.#database.copyTo(file),
      this.#references.resources(),
      this.#references.results(),
    ])
    await this.#database.writeBeside(file, () => this.#removeWhatStays())
    return [...new Set([...resources.map(({ sha256 }) => sha256), ...results])]
  }

  assertReplaceable(replace: boolean): Promise<void> {
    return this.#database.read(() => this.#assertReplaceable(replace))
  }

  async replaceBy(file: string, replace: boolean): Promise<Restored> {
    openAndMigrate(file)
    const restored = await this.#database.writeBeside(file, () => {
      this.#assertReplaceable(replace)
      this.#replaceTables()
      return this.#count()
    })
    this.#replaced()
    return restored
  }

  /**
   * Of a copy. A backup may be stored where nobody who may use the secrets decides about it; and what is known of the files of
   * this node says nothing about those of another. The outputs of stagers can be made again.
   */
  #removeWhatStays(): void {
    // What is deleted is overwritten.
    this.#database.statement('PRAGMA other.secure_delete = ON').all()
    for (const table of [
      'staging_secrets',
      'stager_secrets',
      'verifications',
      'cloud_foundry_tasks',
      'package_outputs',
      ...OF_THE_FLEET,
    ])
      this.#database.statement(`DELETE FROM other.${table}`).run()
    this.#database.statement('UPDATE other.stagings SET term = NULL').run()
    this.#cancelAwaited()
  }

  /** In a copy, whose node has no task that could bring the source. */
  #cancelAwaited(): void {
    const awaited = `FROM other.stagings AS one WHERE one.package = packages.uuid AND one.${AWAITED}`
    this.#database
      .statement(
        `UPDATE other.packages SET state = (SELECT package_state_before ${awaited}) WHERE EXISTS (SELECT 1 ${awaited})`,
      )
      .run()
    this.#database
      .statement(`UPDATE other.stagings SET state = ${STAGING.cancelled}, ended_at = ? WHERE ${AWAITED}`)
      .run(new Date().toISOString())
  }

  #assertReplaceable(replace: boolean): void {
    if (!replace) this.#assertEmpty()
    const busy =
      this.#number(`SELECT count(*) FROM stagings WHERE state = ${STAGING.running}`) +
      this.#number(`SELECT count(*) FROM bootstraps WHERE state = ${BOOTSTRAP.running}`)
    if (busy > 0)
      throw new Conflict(
        'node-busy',
        'A staging or a bootstrap is under way on this node: restore when it has ended, or cancel it.',
      )
  }

  #assertEmpty(): void {
    const found = Object.entries(CONTENT).flatMap(([word, table]) => {
      const count = this.#number(`SELECT count(*) FROM ${table}`)
      return count === 0 ? [] : [`${count} ${count === 1 ? word : table}`]
    })
    if (found.length > 0)
      throw new Conflict(
        'store-not-empty',
        `A backup takes the place of all that a node has, and this one has ${found.join(', ')}: restore to a node with an empty state directory, or give this up with --replace.`,
      )
  }

  /** In the order in which the tables were made: those that are referred to come first. */
  #replaceTables(): void {
    const tables = this.#tables()
    for (const table of [...tables].reverse()) this.#database.statement(`DELETE FROM main."${table}"`).run()
    for (const table of tables) {
      const columns = this.#columns(table)
      this.#database.statement(`INSERT INTO main."${table}" (${columns}) SELECT ${columns} FROM other."${table}"`).run()
    }
    // Numbers that were in use are not given again. The rows are those of AUTOINCREMENT.
    const replaced = `name NOT IN ${listOf(OF_THE_FLEET)}`
    this.#database.statement(`DELETE FROM main.sqlite_sequence WHERE ${replaced}`).run()
    this.#database
      .statement(`INSERT INTO main.sqlite_sequence SELECT * FROM other.sqlite_sequence WHERE ${replaced}`)
      .run()
  }

  #tables(): readonly string[] {
    return this.#database
      .statement<{ name: string }>(
        `SELECT name FROM main.sqlite_schema
         WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'schema_migrations' ORDER BY rowid`,
      )
      .all()
      .map(({ name }) => name)
      .filter((name) => !OF_THE_FLEET.includes(name))
  }

  /** An older database may have got them in another order. Generated columns are computed again. */
  #columns(table: string): string {
    return this.#database
      .statement<{ name: string }>('SELECT name FROM pragma_table_info(?) ORDER BY cid')
      .all(table)
      .map(({ name }) => `"${name}"`)
      .join(', ')
  }

  #count(): Restored {
    const count = (table: string) => this.#number(`SELECT count(*) FROM ${table}`)
    return {
      packages: count('packages'),
      stagers: count('stagers'),
      pipelines: count('pipelines'),
      stagings: count('stagings'),
      unfinished: count(`stagings WHERE state IN ${OPEN_STAGING}`),
    }
  }

  #number(sql: string): number {
    return this.#database.statement<{ n: number }>(`SELECT (${sql}) AS n`).get()?.n ?? 0
  }
}

/** Throws `BadInput` (`bad-backup`, `backup-too-new`), `Unavailable` (`disk-full`, `disk-error`). */
function openAndMigrate(file: string): void {
  try {
    StagerdDatabase.open(file).close()
  } catch (cause) {
    // A disk that fails says nothing about the backup.
    const error = storageError(cause, 'restore the backup')
    if (error instanceof BadInput && error.code === 'database-too-new') throw backupTooNew(error)
    if (error instanceof Fault || errnoOf(error)?.startsWith('SQLITE_'))
      throw new BadInput('bad-backup', 'The database in the backup cannot be opened: restore another backup.', {
        cause: error,
      })
    throw error
  }
}

function backupTooNew(cause: Error): BadInput {
  return new BadInput(
    'backup-too-new',
    'The backup is of a newer stagerd, whose database this one does not know: restore it with that version or a later one.',
    { cause },
  )
}
