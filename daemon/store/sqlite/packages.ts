import { Conflict } from '../../../base/errors.js'
import { formatFqn } from '../../../base/fqn.js'
import type { Package, Resource } from '../../packages/package.js'
import type { ChangeOf, PackageChange, PackageDraft, PackageFilter, PackageRepository, Ref } from '../repositories.js'
import type { StagerdDatabase } from './database.js'
import type { NamespaceQuota } from './namespace-quota.js'
import type { PackageTable } from './package-table.js'
import { UsablePackages } from './usable-packages.js'
import { whereNamespace } from './references.js'
import { OPEN_STAGING } from './states.js'

export class SqlitePackages implements PackageRepository {
  readonly #database: StagerdDatabase
  readonly #table: PackageTable
  readonly #quota: Pick<NamespaceQuota, 'remaining'>
  #usable: UsablePackages

  constructor(database: StagerdDatabase, table: PackageTable, quota: Pick<NamespaceQuota, 'remaining'>) {
    this.#database = database
    this.#table = table
    this.#quota = quota
    this.#usable = new UsablePackages(database, table)
  }

  /** To be called when the tables have been replaced. */
  forget(): void {
    this.#usable = new UsablePackages(this.#database, this.#table)
  }

  create(draft: PackageDraft): Promise<Package> {
    return this.#database.write(() => {
      this.#assertFree(draft)
      return this.#table.insert(draft)
    })
  }

  get(ref: Ref): Promise<Package> {
    return this.#database.read(() => this.#table.get(ref))
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
    return this.#database.read(() => this.#table.select(conditions.join(' AND '), values))
  }

  remainingQuota(namespace: string): Promise<number> {
    return this.#database.read(() => this.#quota.remaining(namespace))
  }

  listUsable(): Promise<readonly Package[]> {
    return this.#database.read(() => this.#usable.current())
  }

  update(ref: Ref, changeOf: ChangeOf<Package, PackageChange>): Promise<Package> {
    return this.#database.write(() => {
      const found = this.#table.get(ref)
      assertNotStaging(found)
      const change = typeof changeOf === 'function' ? changeOf(found) : changeOf
      if (change.name !== undefined && change.name !== found.name)
        this.#assertFree({ namespace: found.namespace, name: change.name })
      return this.#table.replace(found, { ...found, ...change })
    })
  }

  attach(ref: Ref, resource: Resource, state: 'uploaded' | 'ready'): Promise<Package> {
    return this.#database.write(() => {
      const found = this.#table.get(ref)
      assertNotStaging(found)
      return this.#table.replace(found, { ...found, resource, state, recipe: undefined })
    })
  }

  replace(target: Ref, from: Ref): Promise<Package> {
    return this.#database.write(() => {
      const [old, made] = [this.#table.get(target), this.#table.get(from)]
      if (old.uuid === made.uuid)
        throw new Conflict('same-package', `${formatFqn('package', old)} cannot replace itself: name two packages.`)
      assertNotStaging(old)
      assertNotStaging(made)
      this.#assertUnused(made)
      this.#table.delete(made)
      return this.#table.replace(old, { ...made, name: old.name })
    })
  }

  delete(ref: Ref): Promise<void> {
    return this.#database.write(() => {
      const found = this.#table.get(ref)
      this.#assertUnused(found)
      this.#table.delete(found)
    })
  }

  #assertUnused(found: Package): void {
    const holders = [...this.#stagersOf(found), ...this.#stagingsOf(found)]
    if (holders.length > 0)
      throw new Conflict(
        'package-in-use',
        `${formatFqn('package', found)} is in use by ${holders.join(', ')}: first delete the stagers, and wait for the stagings to end or cancel them.`,
      )
  }

  #stagersOf({ uuid }: Package): string[] {
    return this.#database
      .statement<{ namespace: string; name: string }>(
        'SELECT namespace, name FROM stagers WHERE package = ? ORDER BY namespace, name LIMIT 10',
      )
      .all(uuid)
      .map((stager) => `stager ${formatFqn('job', stager)}`)
  }

  /** A staging uses the packages that its stagers had when it was submitted, even if the stagers have changed. */
  #stagingsOf({ uuid }: Package): string[] {
    return this.#database
      .statement<{ uuid: string }>(
        `SELECT uuid FROM stagings WHERE state IN ${OPEN_STAGING} AND (package = ? OR EXISTS (
           SELECT 1 FROM json_each(stagings.stagers) WHERE json_extract(value, '$.packageUuid') = ?))
         ORDER BY sequence LIMIT 10`,
      )
      .all(uuid, uuid)
      .map((staging) => `staging ${staging.uuid}`)
  }

  #assertFree(name: { readonly namespace: string; readonly name: string }): void {
    if (this.#table.find({ namespace: name.namespace, name: name.name }))
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
