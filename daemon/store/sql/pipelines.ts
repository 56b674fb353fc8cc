import { Conflict } from '../../../base/errors.js'
import { formatFqn } from '../../../base/fqn.js'
import type { ChangeOf, Pipeline, PipelineChange, PipelineDraft, PipelineRepository, Ref } from '../repositories.js'
import type { Dialect } from './dialect.js'
import type { Transactions } from './work.js'
import { PipelineTable } from './pipeline-table.js'

export class SqlPipelines implements PipelineRepository {
  readonly #transactions: Transactions
  readonly #table: PipelineTable

  constructor(transactions: Transactions, dialect: Dialect) {
    this.#transactions = transactions
    this.#table = new PipelineTable(dialect)
  }

  create(draft: PipelineDraft): Promise<Pipeline> {
    return this.#transactions.write(function* () {
      const { namespace, name } = draft
      if (yield* this.#table.find({ namespace, name }))
        throw new Conflict(
          'pipeline-exists',
          `There is a ${formatFqn('stagpipe', draft)} already: choose another name, or change that one.`,
        )
      return yield* this.#table.insert(draft)
    }, this)
  }

  get(ref: Ref): Promise<Pipeline> {
    return this.#transactions.read(() => this.#table.get(ref))
  }

  list(filter: { readonly namespace?: string }): Promise<readonly Pipeline[]> {
    return this.#transactions.read(() => this.#table.below(filter.namespace ?? '/'))
  }

  update(ref: Ref, changeOf: ChangeOf<Pipeline, PipelineChange>): Promise<Pipeline> {
    return this.#transactions.write(function* () {
      const found = yield* this.#table.get(ref)
      return yield* this.#table.update(found, typeof changeOf === 'function' ? changeOf(found) : changeOf)
    }, this)
  }

  delete(ref: Ref): Promise<void> {
    return this.#transactions.write(function* () {
      yield* this.#table.delete(yield* this.#table.get(ref))
    }, this)
  }
}
