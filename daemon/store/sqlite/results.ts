import { Conflict, NotFound } from '../../../base/errors.js'
import { formatFqn } from '../../../base/fqn.js'
import { isState, type Result } from '../../model/result.js'
import type { Package } from '../../packages/package.js'
import type { Ref } from '../repositories.js'
import type { PackageHistory, ResultRepository } from '../result-repository.js'
import type { StagerdDatabase } from './database.js'
import type { PackageTable } from './package-table.js'
import { assertNotStaging } from './packages.js'
import type { ResultTable } from './result-table.js'

export class SqliteResults implements ResultRepository {
  readonly #database: StagerdDatabase
  readonly #packages: PackageTable
  readonly #results: ResultTable

  constructor(database: StagerdDatabase, packages: PackageTable, results: ResultTable) {
    this.#database = database
    this.#packages = packages
    this.#results = results
  }

  history(ref: Ref): Promise<PackageHistory> {
    return this.#database.read(() => {
      const found = this.#packages.get(ref)
      return { package: found, results: this.#results.of(found) }
    })
  }

  rollback(ref: Ref, number?: number): Promise<{ readonly package: Package; readonly to: number }> {
    return this.#database.write(() => {
      const found = this.#packages.get(ref)
      assertNotStaging(found)
      const { content, making, number: to } = this.#chosen(found, number)
      if (found.state === 'ready') this.#results.keep(found)
      const { name } = found
      const rolledBack = this.#packages.replace(found, { ...WITHOUT, ...content, name, state: 'ready' })
      this.#results.add(rolledBack, { origin: { kind: 'rollback', to }, content, making })
      return { package: rolledBack, to }
    })
  }

  #chosen(found: Package, number: number | undefined): Result {
    const fqn = formatFqn('package', found)
    const results = this.#results.of(found)
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
