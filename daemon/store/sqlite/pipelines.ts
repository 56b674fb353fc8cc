import { randomUUID } from 'node:crypto'
import { BadInput, Conflict, NotFound } from '../../../base/errors.js'
import type { ChangeOf, Pipeline, PipelineRepository, Ref } from '../repositories.js'
import type { StagerdDatabase } from './database.js'
import { describeRef, whereNamespace, whereRef } from './references.js'

interface PipelineRow {
  readonly uuid: string
  readonly namespace: string
  readonly name: string
  readonly stagers: string
  readonly created_at: string
  readonly updated_at: string
}

const SELECT = `SELECT *, (
  SELECT json_group_array(stager ORDER BY position) FROM pipeline_stagers WHERE pipeline = pipelines.uuid
) AS stagers FROM pipelines`

export class SqlitePipelines implements PipelineRepository {
  readonly #database: StagerdDatabase

  constructor(database: StagerdDatabase) {
    this.#database = database
  }

  create(draft: { namespace: string; name: string; stagers: readonly string[] }): Promise<Pipeline> {
    return this.#database.write(() => {
      const { namespace, name } = draft
      if (this.#database.statement('SELECT 1 FROM pipelines WHERE namespace = ? AND name = ?').get(namespace, name))
        throw new Conflict(
          'pipeline-exists',
          `There is a stagpipe::${namespace}::${name} already: choose another name, or change that one.`,
        )
      const uuid = randomUUID()
      const now = new Date().toISOString()
      this.#database
        .statement('INSERT INTO pipelines (uuid, namespace, name, created_at, updated_at) VALUES (?, ?, ?, ?, ?)')
        .run(uuid, namespace, name, now, now)
      this.#setStagers(uuid, draft.stagers)
      return this.#get({ uuid })
    })
  }

  get(ref: Ref): Promise<Pipeline> {
    return this.#database.read(() => this.#get(ref))
  }

  list(filter: { readonly namespace?: string }): Promise<readonly Pipeline[]> {
    const { where, values } = whereNamespace(filter.namespace ?? '/')
    return this.#database.read(() =>
      this.#database
        .statement<PipelineRow>(`${SELECT} WHERE ${where} ORDER BY namespace, name`)
        .all(...values)
        .map(decode),
    )
  }

  setStagers(ref: Ref, stagersOf: ChangeOf<Pipeline, readonly string[]>): Promise<Pipeline> {
    return this.#database.write(() => {
      const found = this.#get(ref)
      const { uuid } = found
      this.#setStagers(uuid, typeof stagersOf === 'function' ? stagersOf(found) : stagersOf)
      this.#database.statement('UPDATE pipelines SET updated_at = ? WHERE uuid = ?').run(new Date().toISOString(), uuid)
      return this.#get({ uuid })
    })
  }

  delete(ref: Ref): Promise<void> {
    return this.#database.write(() => {
      this.#database.statement('DELETE FROM pipelines WHERE uuid = ?').run(this.#get(ref).uuid)
    })
  }

  #get(ref: Ref): Pipeline {
    const { where, values } = whereRef(ref)
    const row = this.#database.statement<PipelineRow>(`${SELECT} WHERE ${where}`).get(...values)
    if (!row) throw new NotFound('pipeline-not-found', `There is no pipeline ${describeRef(ref, 'stagpipe')}.`)
    return decode(row)
  }

  #setStagers(pipeline: string, stagers: readonly string[]): void {
    if (stagers.length === 0)
      throw new BadInput('empty-pipeline', 'A pipeline without stagers does nothing: name one at least.')
    this.#database.statement('DELETE FROM pipeline_stagers WHERE pipeline = ?').run(pipeline)
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
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
