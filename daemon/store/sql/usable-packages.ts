import type { Package } from '../../packages/package.js'
import { sql, type Work } from './work.js'
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
  readonly #table: PackageTable
  #seen: Changes = { revision: 0, deletions: 0 }
  #usable: readonly Package[] = []

  constructor(table: PackageTable) {
    this.#table = table
  }

  /** To be called inside a transaction. */
  *current(): Work<readonly Package[]> {
    const now = yield* sql.one<Changes>('SELECT revision, deletions FROM package_changes')
    // Another transaction may go on between two statements of this one.
    const { before, seen } = { before: this.#usable, seen: this.#seen }
    if (!now || (now.revision === seen.revision && now.deletions === seen.deletions)) return before
    let usable = now.deletions === seen.deletions ? [...before] : yield* withoutDeleted(before)
    // In the order of import, SQLite would read all packages for it.
    const changes = yield* this.#table.select('revision > ?', [seen.revision], 'revision')
    for (const changed of changes.toSorted((a, b) => a.importOrder - b.importOrder)) usable = put(usable, changed)
    if (now.revision >= this.#seen.revision && now.deletions >= this.#seen.deletions) {
      this.#usable = usable
      this.#seen = now
    }
    return usable
  }
}

function* withoutDeleted(packages: readonly Package[]): Work<Package[]> {
  const rows = yield* sql.all<{ id: number }>('SELECT import_order AS id FROM packages')
  const present = new Set(rows.map(({ id }) => id))
  return packages.filter(({ importOrder }) => present.has(importOrder))
}

/** Changes `usable`, and keeps it sorted by order of import. */
function put(usable: Package[], changed: Package): Package[] {
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
  return usable
}
