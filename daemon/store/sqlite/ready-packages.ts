import type { Package } from '../../packages/package.js'
import type { StagerdDatabase } from './database.js'
import type { PackageTable } from './package-table.js'

interface Changes {
  readonly revision: number
  readonly deletions: number
}

/**
 * Every package that is ready, in order of import, kept in memory: a resolution asks for all of them, and reading a
 * hundred thousand rows each time would stop the daemon for a second.
 *
 * INVARIANTS
 * - `current` is as new as the transaction in which it is called: what changed since the last call is read by revision,
 *   also when another connection changed it.
 * - An array that was handed out never changes. As long as nothing has changed it is the same array, so that a reader
 *   may keep an index of it.
 */
export class ReadyPackages {
  readonly #database: StagerdDatabase
  readonly #table: PackageTable
  #seen: Changes = { revision: 0, deletions: 0 }
  #ready: readonly Package[] = []

  constructor(database: StagerdDatabase, table: PackageTable) {
    this.#database = database
    this.#table = table
  }

  /** Only inside a transaction. */
  current(): readonly Package[] {
    const now = this.#database.statement<Changes>('SELECT revision, deletions FROM package_changes').get()
    if (!now || (now.revision === this.#seen.revision && now.deletions === this.#seen.deletions)) return this.#ready
    const ready = now.deletions === this.#seen.deletions ? [...this.#ready] : this.#withoutDeleted()
    for (const changed of this.#table.select('revision > ?', [this.#seen.revision])) put(ready, changed)
    this.#ready = ready
    this.#seen = now
    return ready
  }

  #withoutDeleted(): Package[] {
    const rows = this.#database.statement<{ id: number }>('SELECT import_order AS id FROM packages').all()
    const present = new Set(rows.map(({ id }) => id))
    return this.#ready.filter(({ importOrder }) => present.has(importOrder))
  }
}

/** `ready` is sorted by order of import, and stays so. */
function put(ready: Package[], changed: Package): void {
  let low = 0
  let high = ready.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ready[middle]?.importOrder ?? Infinity) < changed.importOrder) low = middle + 1
    else high = middle
  }
  const present = ready[low]?.importOrder === changed.importOrder ? 1 : 0
  if (changed.state === 'ready') ready.splice(low, present, changed)
  else ready.splice(low, present)
}
