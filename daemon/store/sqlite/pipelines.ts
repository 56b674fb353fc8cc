import { Conflict } from '../../../base/errors.js'
import { formatFqn } from '../../../base/fqn.js'
import type { ChangeOf, Pipeline, PipelineChange, PipelineDraft, PipelineRepository, Ref } from '../repositories.js'
import type { StagerdDatabase } from './database.js'
import { PipelineTable } from './pipeline-table.js'

export class SqlitePipelines implements PipelineRepository {
  readonly #database: StagerdDatabase
  readonly #table: PipelineTable

  constructor(database: StagerdDatabase) {
    this.#database = database
    this.#table = new PipelineTable(database)
  }

  create(draft: PipelineDraft): Promise<Pipeline> {
    return this.#database.write(() => {
      const { namespace, name } = draft
      if (this.#table.find({ namespace, name }))
        throw new Conflict(
          'pipeline-exists',
          `There is a ${formatFqn('stagpipe', draft)} already: choose another name, or change that one.`,
        )
      return this.#table.insert(draft)
    })
  }

  get(ref: Ref): Promise<Pipeline> {
    return this.#database.read(() => this.#table.get(ref))
  }

  list(filter: { readonly namespace?: string }): Promise<readonly Pipeline[]> {
    return this.#database.read(() => this.#table.below(filter.namespace ?? '/'))
  }

  update(ref: Ref, changeOf: ChangeOf<Pipeline, PipelineChange>): Promise<Pipeline> {
    return this.#database.write(() => {
      const found = this.#table.get(ref)
      return this.#table.update(found, typeof changeOf === 'function' ? changeOf(found) : changeOf)
    })
  }

  delete(ref: Ref): Promise<void> {
    return this.#database.write(() => this.#table.delete(this.#table.get(ref)))
  }
}
