import type { Making, Result, ResultContent, ResultOrigin } from '../../model/result.js'
import { isState } from '../../model/result.js'
import type { Package, Resource } from '../../packages/package.js'
import type { HistoryLimits } from '../result-repository.js'
import type { StagerdDatabase } from './database.js'
import type { NamespaceQuota } from './namespace-quota.js'
import { OutputTable } from './output-table.js'
import { decodeResource } from './package-table.js'

interface ResultRow {
  readonly number: number
  readonly origin: string
  readonly content: string
  readonly making: string | null
  readonly created_at: string
}

export type ResultDraft = Omit<Result, 'number' | 'createdAt'>

/** Rows of results, to be used inside a transaction. */
export class ResultTable {
  readonly #database: StagerdDatabase
  readonly #quota: Pick<NamespaceQuota, 'makeRoom'>
  readonly #limits: HistoryLimits
  readonly #outputs: OutputTable
  readonly #now: () => Date

  constructor(
    database: StagerdDatabase,
    quota: Pick<NamespaceQuota, 'makeRoom'>,
    limits: HistoryLimits,
    now: () => Date = () => new Date(),
  ) {
    this.#database = database
    this.#quota = quota
    this.#limits = limits
    this.#outputs = new OutputTable(database)
    this.#now = now
  }

  /** Newest first. */
  of({ importOrder }: Package): Result[] {
    return this.#database
      .statement<ResultRow>('SELECT * FROM package_results WHERE package = ? ORDER BY number DESC')
      .all(importOrder)
      .map(decode)
  }

  /** Keeps the state of a package that is about to be replaced, unless it is kept already. */
  keep(found: Package): void {
    const { resource, dependencies, provides, environment, templates, manifest } = found
    const { version, description, recipe } = found
    if (!resource || this.of(found).some(({ content }) => isState(content, found))) return
    const content = { resource, dependencies, provides, environment, templates, manifest, version, description, recipe }
    this.#insert(found, { origin: { kind: 'kept' }, content, making: undefined })
  }

  /** Adds what `found` has become, and drops what is too much then. */
  add(found: Package, draft: ResultDraft): void {
    this.#insert(found, draft)
    const dropped = this.#tooMuch(found)
    for (const { number } of dropped)
      this.#database
        .statement('DELETE FROM package_results WHERE package = ? AND number = ?')
        .run(found.importOrder, number)
    this.forgetOutputs(found)
    this.#quota.makeRoom(found.namespace)
  }

  /** The data that a stager has left which is not the last of its staging. */
  keepOutput(found: Package, output: Resource): void {
    this.#outputs.keep(found, output)
    this.#outputs.shrink(found, this.#limits.bytes)
    this.#quota.makeRoom(found.namespace)
  }

  /** All but those that the newest result was made from. */
  forgetOutputs(found: Package): void {
    const newest = this.of(found).find(({ making }) => making !== undefined)
    const data = newest ? dataOf(newest).map(({ sha256 }) => sha256) : []
    const made = (newest?.making?.launches ?? []).map(({ work }) => work.resource.sha256)
    this.#outputs.retain(found, new Set(made.filter((sha256) => !data.includes(sha256))))
    this.#outputs.shrink(found, this.#limits.bytes)
  }

  #insert({ importOrder }: Package, { origin, content, making }: ResultDraft): void {
    const { number = 1 } =
      this.#database
        .statement<{ number: number }>(
          'UPDATE packages SET results = results + 1 WHERE import_order = ? RETURNING results AS number',
        )
        .get(importOrder) ?? {}
    this.#database
      .statement(
        'INSERT INTO package_results (package, number, origin, content, making, created_at) VALUES (?, ?, ?, ?, ?, ?)',
      )
      .run(
        importOrder,
        number,
        JSON.stringify(origin),
        JSON.stringify(content),
        making ? JSON.stringify(making) : null,
        this.#now().toISOString(),
      )
    for (const { sha256, length } of dataOf({ content, making }))
      this.#database
        .statement('INSERT OR IGNORE INTO package_result_data (package, number, sha256, length) VALUES (?, ?, ?, ?)')
        .run(importOrder, number, sha256, length)
  }

  /** All results after the first one that is over a limit. */
  #tooMuch(found: Package): readonly Result[] {
    const results = this.of(found)
    const counted = new Set([found.resource?.sha256])
    let bytes = 0
    const kept = results.findIndex((result, index) => {
      for (const { sha256, length } of dataOf(result)) {
        if (!counted.has(sha256)) bytes += length
        counted.add(sha256)
      }
      return index > 0 && (index >= this.#limits.results || bytes > this.#limits.bytes)
    })
    return kept < 0 ? [] : results.slice(kept)
  }
}

/** The resources that a result refers to. */
export function dataOf({ content, making }: Pick<Result, 'content' | 'making'>): readonly Resource[] {
  return [content.resource, ...(making ? [making.input.resource] : [])]
}

function decode(row: ResultRow): Result {
  const content = JSON.parse(row.content) as ResultContent
  const making = row.making === null ? undefined : (JSON.parse(row.making) as Making)
  return {
    number: row.number,
    origin: JSON.parse(row.origin) as ResultOrigin,
    content: { ...content, resource: decodeResource(content.resource) },
    making: making && {
      ...making,
      input: { ...making.input, resource: decodeResource(making.input.resource) },
      again: making.again,
    },
    createdAt: row.created_at,
  }
}
