import { randomUUID } from 'node:crypto'
import { BadInput, NotFound } from '../../../base/errors.js'
import type { Pipeline, PipelineChange, PipelineDraft, Ref } from '../repositories.js'
import type { Dialect } from './dialect.js'
import { sql, type Work } from './work.js'
import { notFound } from '../not-found.js'
import { whereNamespace, whereRef } from './references.js'

interface PipelineRow {
  readonly uuid: string
  readonly namespace: string
  readonly name: string
  readonly stagers: string
  readonly signs: string
  readonly created_at: string
  readonly updated_at: string
}

/** Rows of pipelines, to be used inside a transaction. */
export class PipelineTable {
  readonly #select: string

  constructor({ jsonArray }: Dialect) {
    const stagers = jsonArray(['stager'], 'position', 'pipeline_stagers WHERE pipeline = pipelines.uuid')
    this.#select = `SELECT *, ${stagers} AS stagers FROM pipelines`
  }

  *find(ref: Ref): Work<Pipeline | undefined> {
    const { where, values } = whereRef(ref)
    const row = yield* sql.one<PipelineRow>(`${this.#select} WHERE ${where}`, ...values)
    return row && decode(row)
  }

  /** Throws `NotFound` (`pipeline-not-found`). */
  *get(ref: Ref): Work<Pipeline> {
    const found = yield* this.find(ref)
    if (!found) throw notFound('stagpipe', ref)
    return found
  }

  *below(namespace: string): Work<Pipeline[]> {
    const { where, values } = whereNamespace(namespace)
    return (yield* sql.all<PipelineRow>(`${this.#select} WHERE ${where} ORDER BY namespace, name`, ...values)).map(
      decode,
    )
  }

  /** The name must be free. Throws `BadInput` (`empty-pipeline`), `NotFound` (`stager-not-found`). */
  *insert({ namespace, name, stagers, signs = [] }: PipelineDraft): Work<Pipeline> {
    const uuid = randomUUID()
    const now = new Date().toISOString()
    yield* sql.run(
      'INSERT INTO pipelines (uuid, namespace, name, signs, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)',
      uuid,
      namespace,
      name,
      JSON.stringify(signs),
      now,
      now,
    )
    yield* this.#fill(uuid, stagers)
    return yield* this.get({ uuid })
  }

  /** Throws `BadInput` (`empty-pipeline`), `NotFound` (`stager-not-found`). */
  *update({ uuid, signs: before }: Pipeline, { stagers, signs = before }: PipelineChange): Work<Pipeline> {
    if (stagers) {
      yield* sql.run('DELETE FROM pipeline_stagers WHERE pipeline = ?', uuid)
      yield* this.#fill(uuid, stagers)
    }
    yield* sql.run(
      'UPDATE pipelines SET signs = ?, updated_at = ? WHERE uuid = ?',
      JSON.stringify(signs),
      new Date().toISOString(),
      uuid,
    )
    return yield* this.get({ uuid })
  }

  *delete({ uuid }: Pipeline): Work<void> {
    yield* sql.run('DELETE FROM pipelines WHERE uuid = ?', uuid)
  }

  *#fill(pipeline: string, stagers: readonly string[]): Work<void> {
    if (stagers.length === 0)
      throw new BadInput('empty-pipeline', 'A pipeline without stagers does nothing: name at least one.')
    for (const [position, stager] of stagers.entries()) {
      if (!(yield* sql.one('SELECT 1 FROM stagers WHERE uuid = ?', stager)))
        throw new NotFound('stager-not-found', `There is no stager ${stager}.`)
      yield* sql.run(
        'INSERT INTO pipeline_stagers (pipeline, position, stager) VALUES (?, ?, ?)',
        ...[pipeline, position, stager],
      )
    }
  }
}

function decode(row: PipelineRow): Pipeline {
  return {
    uuid: row.uuid,
    namespace: row.namespace,
    name: row.name,
    stagers: JSON.parse(row.stagers) as string[],
    signs: JSON.parse(row.signs) as string[],
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
