import type { BackupRepository, CopyExtent, Restored } from '../backup-repository.js'
import { assertReplaceable, countRestored } from '../sql/replaceable.js'
import { listOf } from '../sql/states.js'
import { BACKUP_SCHEMA, endedIn, openAndMigrate, reduceCopy, tablesOf } from './backup-file.js'
import type { StagerdDatabase } from './database.js'
import { doInside } from './transactions.js'

export class SqliteBackups implements BackupRepository {
  readonly schema = BACKUP_SCHEMA
  readonly endedIn = endedIn
  readonly #database: StagerdDatabase
  readonly #replaced: () => void

  /** @param replaced forgets what is remembered of the tables */
  constructor(database: StagerdDatabase, replaced: () => void) {
    this.#database = database
    this.#replaced = replaced
  }

  async copyTo(file: string, extent: CopyExtent = 'backup'): Promise<readonly string[]> {
    await this.#database.copyTo(file)
    return await reduceCopy(file, extent)
  }

  assertReplaceable(replace: boolean): Promise<void> {
    return this.#database.read(() => doInside(this.#database, assertReplaceable(replace)))
  }

  async replaceBy(file: string, replace: boolean): Promise<Restored> {
    openAndMigrate(file)
    const restored = await this.#database.writeBeside(file, () => {
      doInside(this.#database, assertReplaceable(replace))
      this.#replaceTables()
      return doInside(this.#database, countRestored())
    })
    this.#replaced()
    return restored
  }

  #replaceTables(): void {
    const tables = tablesOf(this.#database)
    for (const { name } of tables.toReversed()) this.#database.statement(`DELETE FROM main."${name}"`).run()
    for (const { name, columns } of tables) {
      const list = columns.map((column) => `"${column}"`).join(', ')
      this.#database.statement(`INSERT INTO main."${name}" (${list}) SELECT ${list} FROM other."${name}"`).run()
    }
    // Numbers that were in use are not given again. The rows are those of AUTOINCREMENT.
    const replaced = `name IN ${listOf(tables.map(({ name }) => name))}`
    this.#database.statement(`DELETE FROM main.sqlite_sequence WHERE ${replaced}`).run()
    this.#database
      .statement(`INSERT INTO main.sqlite_sequence SELECT * FROM other.sqlite_sequence WHERE ${replaced}`)
      .run()
  }
}
