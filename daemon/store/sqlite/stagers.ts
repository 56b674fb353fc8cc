import { Conflict } from '../../../base/errors.js'
import { formatFqn } from '../../../base/fqn.js'
import type {
  ChangeOf,
  Ref,
  Stager,
  StagerChange,
  StagerDraft,
  StagerFilter,
  StagerRepository,
} from '../repositories.js'
import type { StagerdDatabase } from './database.js'
import { StagerTable } from './stager-table.js'

export class SqliteStagers implements StagerRepository {
  readonly #database: StagerdDatabase
  readonly #table: StagerTable

  constructor(database: StagerdDatabase) {
    this.#database = database
    this.#table = new StagerTable(database)
  }

  create(draft: StagerDraft): Promise<Stager> {
    return this.#database.write(() => {
      this.#assertFree(draft)
      return this.#table.insert(draft)
    })
  }

  get(ref: Ref): Promise<Stager> {
    return this.#database.read(() => this.#table.get(ref))
  }

  list(filter: StagerFilter): Promise<readonly Stager[]> {
    return this.#database.read(() => this.#table.list(filter))
  }

  update(ref: Ref, changeOf: ChangeOf<Stager, StagerChange>): Promise<Stager> {
    return this.#database.write(() => {
      const found = this.#table.get(ref)
      const changed = { ...found, ...(typeof changeOf === 'function' ? changeOf(found) : changeOf) }
      if (changed.name !== found.name) this.#assertFree(changed)
      return this.#table.replace(found, changed)
    })
  }

  delete(ref: Ref): Promise<void> {
    return this.#database.write(() => {
      const found = this.#table.get(ref)
      const pipelines = this.#database
        .statement<{ namespace: string; name: string }>(
          `SELECT DISTINCT namespace, name FROM pipelines JOIN pipeline_stagers ON pipeline = uuid WHERE stager = ?
           ORDER BY namespace, name LIMIT 10`,
        )
        .all(found.uuid)
        .map((pipeline) => formatFqn('stagpipe', pipeline))
      if (pipelines.length > 0)
        throw new Conflict(
          'stager-in-use',
          `${formatFqn('job', found)} is used by ${pipelines.join(', ')}: delete the pipelines first.`,
        )
      this.#table.delete(found)
    })
  }

  #assertFree({ namespace, name }: { readonly namespace: string; readonly name: string }): void {
    if (this.#table.find({ namespace, name }))
      throw new Conflict(
        'stager-exists',
        `There is a ${formatFqn('job', { namespace, name })} already: choose another name, or update that one.`,
      )
  }
}
