import { Conflict, NotFound } from '../../../base/errors.js'
import { formatFqn } from '../../../base/fqn.js'
import { isState, type Result } from '../../model/result.js'
import type { Package } from '../../packages/package.js'
import type { Ref } from '../repositories.js'
import type { PackageHistory, ResultRepository } from '../result-repository.js'
import type { Transactions, Work } from './work.js'
import type { PackageTable } from './package-table.js'
import { assertNotStaging } from './packages.js'
import type { ResultTable } from './result-table.js'

export class SqlResults implements ResultRepository {
  readonly #transactions: Transactions
  readonly #packages: PackageTable
  readonly #results: ResultTable

  constructor(transactions: Transactions, packages: PackageTable, results: ResultTable) {
    this.#transactions = transactions
    this.#packages = packages
    this.#results = results
  }

  history(ref: Ref): Promise<PackageHistory> {
    return this.#transactions.read(function* () {
      const found = yield* this.#packages.get(ref)
      return { package: found, results: yield* this.#results.of(found) }
    }, this)
  }

  rollback(ref: Ref, number?: number): Promise<{ readonly package: Package; readonly to: number }> {
    return this.#transactions.write(function* () {
      const found = yield* this.#packages.get(ref)
      assertNotStaging(found)
      const { content, making, number: to } = yield* this.#chosen(found, number)
      if (found.state === 'ready') yield* this.#results.keep(found)
      const { name } = found
      const rolledBack = yield* this.#packages.replace(found, { ...WITHOUT, ...content, name, state: 'ready' })
      yield* this.#results.add(rolledBack, { origin: { kind: 'rollback', to }, content, making })
      return { package: rolledBack, to }
    }, this)
  }

  *#chosen(found: Package, number: number | undefined): Work<Result> {
    const fqn = formatFqn('package', found)
    const results = yield* this.#results.of(found)
    const isPresent = ({ content }: Result) => found.state === 'ready' && isState(content, found)
    if (number === undefined) {
      const earlier = results.find((result) => !isPresent(result))
      if (earlier) return earlier
      throw new NotFound('no-earlier-result', `${fqn} keeps no result other than the one that it has: stage it first.`)
    }
    const chosen = results.find((result) => result.number === number)
    if (!chosen)
      throw new NotFound(
        'no-such-result',
        `${fqn} keeps no result ${number}: choose one of those that its history shows.`,
      )
    if (isPresent(chosen))
      throw new Conflict('same-result', `${fqn} has result ${number} already: choose another one of its history.`)
    return chosen
  }
}

/** JSON has left out the fields that are undefined in a result. */
const WITHOUT = { manifest: undefined, version: undefined, description: undefined, recipe: undefined }
