import { Conflict } from '../../../base/errors.js'
import { formatFqn } from '../../../base/fqn.js'
import type { Package, Resource } from '../../packages/package.js'
import type { ChangeOf, PackageChange, PackageDraft, PackageFilter, PackageRepository, Ref } from '../repositories.js'
import { sql, type Transactions, type Work } from './work.js'
import type { NamespaceQuota } from './namespace-quota.js'
import type { PackageTable } from './package-table.js'
import { UsablePackages } from './usable-packages.js'
import { whereNamespace } from './references.js'
import { OPEN_STAGING } from './states.js'

export class SqlPackages implements PackageRepository {
  readonly #transactions: Transactions
  readonly #table: PackageTable
  readonly #quota: Pick<NamespaceQuota, 'remaining'>
  #usable: UsablePackages

  constructor(transactions: Transactions, table: PackageTable, quota: Pick<NamespaceQuota, 'remaining'>) {
    this.#transactions = transactions
    this.#table = table
    this.#quota = quota
    this.#usable = new UsablePackages(table)
  }

  /** To be called when the tables have been replaced. */
  forget(): void {
    this.#usable = new UsablePackages(this.#table)
  }

  create(draft: PackageDraft): Promise<Package> {
    return this.#transactions.write(function* () {
      yield* this.#refuseTaken(draft)
      return yield* this.#table.insert(draft)
    }, this)
  }

  get(ref: Ref): Promise<Package> {
    return this.#transactions.read(() => this.#table.get(ref))
  }

  list(filter: PackageFilter): Promise<readonly Package[]> {
    const conditions = ['TRUE']
    const values: string[] = []
    const provided = [
      ...(filter.provides === undefined ? [] : ['name']),
      ...(filter.type === undefined ? [] : ['type']),
    ]
    if (provided.length > 0) {
      const where = provided.map((column) => `${column} = ?`).join(' AND ')
      conditions.push(`import_order IN (SELECT package FROM package_provides WHERE ${where})`)
      for (const value of [filter.provides, filter.type]) if (value !== undefined) values.push(value)
    }
    if (filter.namespace !== undefined) {
      const below = whereNamespace(filter.namespace)
      conditions.push(below.where)
      values.push(...below.values)
    }
    return this.#transactions.read(() => this.#table.select(conditions.join(' AND '), values))
  }

  remainingQuota(namespace: string): Promise<number> {
    return this.#transactions.read(() => this.#quota.remaining(namespace))
  }

  listUsable(): Promise<readonly Package[]> {
    return this.#transactions.read(() => this.#usable.current())
  }

  update(ref: Ref, changeOf: ChangeOf<Package, PackageChange>): Promise<Package> {
    return this.#transactions.write(function* () {
      const found = yield* this.#table.get(ref)
      assertNotStaging(found)
      const change = typeof changeOf === 'function' ? changeOf(found) : changeOf
      if (change.name !== undefined && change.name !== found.name)
        yield* this.#refuseTaken({ namespace: found.namespace, name: change.name })
      return yield* this.#table.replace(found, { ...found, ...change })
    }, this)
  }

  attach(ref: Ref, resource: Resource, state: 'uploaded' | 'ready'): Promise<Package> {
    return this.#transactions.write(function* () {
      const found = yield* this.#table.get(ref)
      assertNotStaging(found)
      return yield* this.#table.replace(found, { ...found, resource, state, recipe: undefined })
    }, this)
  }

  replace(target: Ref, from: Ref): Promise<Package> {
    return this.#transactions.write(function* () {
      const [old, made] = [yield* this.#table.get(target), yield* this.#table.get(from)]
      if (old.uuid === made.uuid)
        throw new Conflict('same-package', `${formatFqn('package', old)} cannot replace itself: name two packages.`)
      assertNotStaging(old)
      assertNotStaging(made)
      yield* this.#refuseUsed(made)
      yield* this.#table.delete(made)
      return yield* this.#table.replace(old, { ...made, name: old.name })
    }, this)
  }

  delete(ref: Ref): Promise<void> {
    return this.#transactions.write(function* () {
      const found = yield* this.#table.get(ref)
      yield* this.#refuseUsed(found)
      yield* this.#table.delete(found)
    }, this)
  }

  *#refuseUsed(found: Package): Work<void> {
    const holders = [...(yield* this.#stagersOf(found)), ...(yield* this.#stagingsOf(found))]
    if (holders.length > 0)
      throw new Conflict(
        'package-in-use',
        `${formatFqn('package', found)} is in use by ${holders.join(', ')}: first delete the stagers, and wait for the stagings to end or cancel them.`,
      )
  }

  *#stagersOf({ uuid }: Package): Work<string[]> {
    const stagers = yield* sql.all<{ namespace: string; name: string }>(
      'SELECT namespace, name FROM stagers WHERE package = ? ORDER BY namespace, name LIMIT 10',
      uuid,
    )
    return stagers.map((stager) => `stager ${formatFqn('job', stager)}`)
  }

  /** A staging uses the packages that its stagers had when it was submitted, even if the stagers have changed. */
  *#stagingsOf({ uuid }: Package): Work<string[]> {
    return (yield* sql.all<{ uuid: string }>(
      `SELECT uuid FROM stagings WHERE state IN ${OPEN_STAGING} AND (package = ? OR EXISTS (
           SELECT 1 FROM json_each(stagings.stagers) WHERE json_extract(value, '$.packageUuid') = ?))
         ORDER BY sequence LIMIT 10`,
      uuid,
      uuid,
    )).map((staging) => `staging ${staging.uuid}`)
  }

  *#refuseTaken(name: { readonly namespace: string; readonly name: string }): Work<void> {
    if (yield* this.#table.find({ namespace: name.namespace, name: name.name }))
      throw new Conflict(
        'package-exists',
        `There is a ${formatFqn('package', name)} already: choose another name, or update that one.`,
      )
  }
}

/** Throws `Conflict` (`package-busy`). */
export function assertNotStaging(found: Package): void {
  if (found.state === 'staging')
    throw new Conflict(
      'package-busy',
      `${formatFqn('package', found)} is being staged: wait until the staging has ended, or cancel it.`,
    )
}
