import { randomUUID } from 'node:crypto'
import { NotFound } from '../../../base/errors.js'
import type { Bootstrap } from '../../model/bootstrap.js'
import { bootstrapRunning, type BootstrapRepository } from '../bootstrap-repository.js'
import { sql, type Transactions, type Value, type Work } from './work.js'
import { BOOTSTRAP } from './states.js'

interface BootstrapRow {
  readonly document: string
}

export class SqlBootstraps implements BootstrapRepository {
  readonly #transactions: Transactions

  constructor(transactions: Transactions) {
    this.#transactions = transactions
  }

  begin(pipelines: readonly string[]): Promise<Bootstrap> {
    return this.#transactions.write(function* () {
      const [running] = yield* this.#select(`WHERE state = ${BOOTSTRAP.running}`, [])
      if (running) throw bootstrapRunning(running)
      const bootstrap: Bootstrap = {
        uuid: randomUUID(),
        state: 'running',
        pipelines,
        items: [],
        message: undefined,
        startedAt: new Date().toISOString(),
        endedAt: undefined,
      }
      yield* sql.run(
        'INSERT INTO bootstraps (uuid, state, document) VALUES (?, ?, ?)',
        bootstrap.uuid,
        bootstrap.state,
        JSON.stringify(bootstrap),
      )
      return bootstrap
    }, this)
  }

  get(uuid: string): Promise<Bootstrap> {
    return this.#transactions.read(function* () {
      const [found] = yield* this.#select('WHERE uuid = ?', [uuid])
      if (!found) throw new NotFound('bootstrap-not-found', `There is no bootstrap ${uuid}.`)
      return found
    }, this)
  }

  list(limit: number): Promise<readonly Bootstrap[]> {
    return this.#transactions.read(() => this.#select('ORDER BY sequence DESC LIMIT ?', [limit]))
  }

  save(bootstrap: Bootstrap): Promise<void> {
    return this.#transactions.write(function* () {
      yield* sql.run(
        'UPDATE bootstraps SET state = ?, document = ? WHERE uuid = ?',
        bootstrap.state,
        JSON.stringify(bootstrap),
        bootstrap.uuid,
      )
    }, this)
  }

  *#select(clause: string, values: readonly Value[]): Work<Bootstrap[]> {
    return (yield* sql.all<BootstrapRow>(`SELECT document FROM bootstraps ${clause}`, ...values)).map(({ document }) =>
      decode(JSON.parse(document) as Bootstrap),
    )
  }
}

/** JSON omits undefined properties. */
function decode({ items, message, endedAt, ...rest }: Bootstrap): Bootstrap {
  return {
    ...rest,
    items: items.map(({ name, state, staging, message }) => ({ name, state, staging, message })),
    message,
    endedAt,
  }
}
