import { randomUUID } from 'node:crypto'
import { BadInput, NotFound } from '../../../base/errors.js'
import type { Pipeline, PipelineChange, PipelineDraft, Ref } from '../repositories.js'
import type { StagerdDatabase } from './database.js'
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

const SELECT = `SELECT *, (
  SELECT json_group_array(stager ORDER BY position) FROM pipeline_stagers WHERE pipeline = pipelines.uuid
) AS stagers FROM pipelines`

/** Rows of pipelines, to be used inside a transaction. */
export class PipelineTable {
  readonly #database: StagerdDatabase

  constructor(database: StagerdDatabase) {
    this.#database = database
  }

  find(ref: Ref): Pipeline | undefined {
    const { where, values } = whereRef(ref)
    const row = this.#database.statement<PipelineRow>(`${SELECT} WHERE ${where}`).get(...values)
    return row && decode(row)
  }

  /** Throws `NotFound` (`pipeline-not-found`). */
  get(ref: Ref): Pipeline {
    const found = this.find(ref)
    if (!found) throw notFound('stagpipe', ref)
    return found
  }

  below(namespace: string): Pipeline[] {
    const { where, values } = whereNamespace(namespace)
    return this.#database
      .statement<PipelineRow>(`${SELECT} WHERE ${where} ORDER BY namespace, name`)
      .all(...values)
      .map(decode)
  }

  /** The name must be free. Throws `BadInput` (`empty-pipeline`), `NotFound` (`stager-not-found`). */
  insert({ namespace, name, stagers, signs = [] }: PipelineDraft): Pipeline {
    const uuid = randomUUID()
    const now = new Date().toISOString()
    this.#database
      .statement(
        'INSERT INTO pipelines (uuid, namespace, name, signs, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)',
      )
      .run(uuid, namespace, name, JSON.stringify(signs), now, now)
    this.#fill(uuid, stagers)
    return this.get({ uuid })
  }

  /** Throws `BadInput` (`empty-pipeline`), `NotFound` (`stager-not-found`). */
  update({ uuid, signs: before }: Pipeline, { stagers, signs = before }: PipelineChange): Pipeline {
    if (stagers) {
      this.#database.statement('DELETE FROM pipeline_stagers WHERE pipeline = ?').run(uuid)
      this.#fill(uuid, stagers)
    }
    this.#database
      .statement('UPDATE pipelines SET signs = ?, updated_at = ? WHERE uuid = ?')
      .run(JSON.stringify(signs), new Date().toISOString(), uuid)
    return this.get({ uuid })
  }

  delete({ uuid }: Pipeline): void {
    this.#database.statement('DELETE FROM pipelines WHERE uuid = ?').run(uuid)
  }

  #fill(pipeline: string, stagers: readonly string[]): void {
    if (stagers.length === 0)
      throw new BadInput('empty-pipeline', 'A pipeline without stagers does nothing: name at least one.')
    stagers.forEach((stager, position) => {
      if (!this.#database.statement('SELECT 1 FROM stagers WHERE uuid = ?').get(stager))
        throw new NotFound('stager-not-found', `There is no stager ${stager}.`)
      this.#database
        .statement('INSERT INTO pipeline_stagers (pipeline, position, stager) VALUES (?, ?, ?)')
        .run(pipeline, position, stager)
    })
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
