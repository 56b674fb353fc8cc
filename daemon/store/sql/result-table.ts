import type { Making, Result, ResultContent, ResultOrigin } from '../../model/result.js'
import { isState } from '../../model/result.js'
import type { Package, Resource } from '../../packages/package.js'
import type { HistoryLimits } from '../result-repository.js'
import { sql, type Work } from './work.js'
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
  readonly #quota: Pick<NamespaceQuota, 'makeRoom'>
  readonly #limits: HistoryLimits
  readonly #outputs: OutputTable
  readonly #now: () => Date

  constructor(quota: Pick<NamespaceQuota, 'makeRoom'>, limits: HistoryLimits, now: () => Date = () => new Date()) {
    this.#quota = quota
    this.#limits = limits
    this.#outputs = new OutputTable()
    this.#now = now
  }

  /** Newest first. */
  *of({ importOrder }: Package): Work<Result[]> {
    return (yield* sql.all<ResultRow>(
      'SELECT * FROM package_results WHERE package = ? ORDER BY number DESC',
      importOrder,
    )).map(decode)
  }

  /** Keeps the state of a package that is about to be replaced, unless it is kept already. */
  *keep(found: Package): Work<void> {
    const { resource, dependencies, provides, environment, templates, manifest } = found
    const { version, description, recipe } = found
    if (!resource || (yield* this.of(found)).some(({ content }) => isState(content, found))) return
    const content = { resource, dependencies, provides, environment, templates, manifest, version, description, recipe }
    yield* this.#insert(found, { origin: { kind: 'kept' }, content, making: undefined })
  }

  /** Adds what `found` has become, and drops what is too much then. */
  *add(found: Package, draft: ResultDraft): Work<void> {
    yield* this.#insert(found, draft)
    const dropped = yield* this.#tooMuch(found)
    for (const { number } of dropped)
      yield* sql.run('DELETE FROM package_results WHERE package = ? AND number = ?', found.importOrder, number)
    yield* this.forgetOutputs(found)
    yield* this.#quota.makeRoom(found.namespace)
  }

  /** The data that a stager has left which is not the last of its staging. */
  *keepOutput(found: Package, output: Resource): Work<void> {
    yield* this.#outputs.keep(found, output)
    yield* this.#outputs.shrink(found, this.#limits.bytes)
    yield* this.#quota.makeRoom(found.namespace)
  }

  /** All but those that the newest result was made from. */
  *forgetOutputs(found: Package): Work<void> {
    const newest = (yield* this.of(found)).find(({ making }) => making !== undefined)
    const data = newest ? dataOf(newest).map(({ sha256 }) => sha256) : []
    const made = (newest?.making?.launches ?? []).map(({ work }) => work.resource.sha256)
    yield* this.#outputs.retain(found, new Set(made.filter((sha256) => !data.includes(sha256))))
    yield* this.#outputs.shrink(found, this.#limits.bytes)
  }

  *#insert({ importOrder }: Package, { origin, content, making }: ResultDraft): Work<void> {
    const { number = 1 } =
      (yield* sql.one<{ number: number }>(
        'UPDATE packages SET results = results + 1 WHERE import_order = ? RETURNING results AS number',
        importOrder,
      )) ?? {}
    yield* sql.run(
      'INSERT INTO package_results (package, number, origin, content, making, created_at) VALUES (?, ?, ?, ?, ?, ?)',
      importOrder,
      number,
      JSON.stringify(origin),
      JSON.stringify(content),
      making ? JSON.stringify(making) : null,
      this.#now().toISOString(),
    )
    for (const { sha256, length } of dataOf({ content, making }))
      yield* sql.run(
        'INSERT INTO package_result_data (package, number, sha256, length) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
        importOrder,
        number,
        sha256,
        length,
      )
  }

  /** All results after the first one that is over a limit. */
  *#tooMuch(found: Package): Work<readonly Result[]> {
    const results = yield* this.of(found)
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
