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
import { sql, type Transactions, type Work } from './work.js'
import { StagerTable } from './stager-table.js'

export class SqlStagers implements StagerRepository {
  readonly #transactions: Transactions
  readonly #table: StagerTable

  constructor(transactions: Transactions) {
    this.#transactions = transactions
    this.#table = new StagerTable()
  }

  create(draft: StagerDraft): Promise<Stager> {
    return this.#transactions.write(function* () {
      yield* this.#refuseTaken(draft)
      return yield* this.#table.insert(draft)
    }, this)
  }

  get(ref: Ref): Promise<Stager> {
    return this.#transactions.read(() => this.#table.get(ref))
  }

  list(filter: StagerFilter): Promise<readonly Stager[]> {
    return this.#transactions.read(() => this.#table.list(filter))
  }

  update(ref: Ref, changeOf: ChangeOf<Stager, StagerChange>): Promise<Stager> {
    return this.#transactions.write(function* () {
      const found = yield* this.#table.get(ref)
      const changed = { ...found, ...(typeof changeOf === 'function' ? changeOf(found) : changeOf) }
      if (changed.name !== found.name) yield* this.#refuseTaken(changed)
      return yield* this.#table.replace(found, changed)
    }, this)
  }

  delete(ref: Ref): Promise<void> {
    return this.#transactions.write(function* () {
      const found = yield* this.#table.get(ref)
      const users = yield* sql.all<{ namespace: string; name: string }>(
        `SELECT DISTINCT namespace, name FROM pipelines JOIN pipeline_stagers ON pipeline = uuid WHERE stager = ?
           ORDER BY namespace, name LIMIT 10`,
        found.uuid,
      )
      const pipelines = users.map((pipeline) => formatFqn('stagpipe', pipeline))
      if (pipelines.length > 0)
        throw new Conflict(
          'stager-in-use',
          `${formatFqn('job', found)} is used by ${pipelines.join(', ')}: delete the pipelines first.`,
        )
      yield* this.#table.delete(found)
    }, this)
  }

  *#refuseTaken({ namespace, name }: { readonly namespace: string; readonly name: string }): Work<void> {
    if (yield* this.#table.find({ namespace, name }))
      throw new Conflict(
        'stager-exists',
        `There is a ${formatFqn('job', { namespace, name })} already: choose another name, or update that one.`,
      )
  }
}
