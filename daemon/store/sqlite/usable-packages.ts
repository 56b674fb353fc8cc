import type { Package } from '../../packages/package.js'
import type { StagerdDatabase } from './database.js'
import type { PackageTable } from './package-table.js'

interface Changes {
  readonly revision: number
  readonly deletions: number
}

/**
 * A cache of the usable packages, in order of import. A resolution needs all of them, and reading a hundred
 * thousand rows would block the event loop for a second.
 *
 * INVARIANTS
 * - `current` is up to date with the transaction in which it is called: it reads what has changed since the last call, by
 *   revision, including changes of other connections.
 * - A returned array never changes. `current` returns the same array until something changes, so that a reader can keep an
 *   index of it.
 */
export class UsablePackages {
  readonly #database: StagerdDatabase
  readonly #table: PackageTable
  #seen: Changes = { revision: 0, deletions: 0 }
  #usable: readonly Package[] = []

  constructor(database: StagerdDatabase, table: PackageTable) {
    this.#database = database
    this.#table = table
  }

  /** To be called inside a transaction. */
  current(): readonly Package[] {
    const now = this.#database.statement<Changes>('SELECT revision, deletions FROM package_changes').get()
    if (!now || (now.revision === this.#seen.revision && now.deletions === this.#seen.deletions)) return this.#usable
    const usable = now.deletions === this.#seen.deletions ? [...this.#usable] : this.#withoutDeleted()
    // In the order of import, SQLite would read all packages for it.
    const changes = this.#table.select('revision > ?', [this.#seen.revision], 'revision')
    for (const changed of changes.toSorted((a, b) => a.importOrder - b.importOrder)) put(usable, changed)
    this.#usable = usable
    this.#seen = now
    return usable
  }

  #withoutDeleted(): Package[] {
    const rows = this.#database.statement<{ id: number }>('SELECT import_order AS id FROM packages').all()
    const present = new Set(rows.map(({ id }) => id))
    return this.#usable.filter(({ importOrder }) => present.has(importOrder))
  }
}

/** Keeps `usable` sorted by order of import. */
function put(usable: Package[], changed: Package): void {
  let low = 0
  let high = usable.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((usable[middle]?.importOrder ?? Infinity) < changed.importOrder) low = middle + 1
    else high = middle
  }
  const present = usable[low]?.importOrder === changed.importOrder ? 1 : 0
  if (changed.usable) usable.splice(low, present, changed)
  else usable.splice(low, present)
}
