import { randomUUID } from 'node:crypto'
import { Conflict, NotFound } from '../../../base/errors.js'
import type { Limits } from '../../../isolation/launch-plan.js'
import type { Capability } from '../../packages/metadata.js'
import type { ChangeOf, Ref, Stager, StagerChange, StagerDraft, StagerRepository } from '../repositories.js'
import type { StagerdDatabase } from './database.js'
import { describeRef, whereNamespace, whereRef } from './references.js'

interface StagerRow {
  readonly uuid: string
  readonly namespace: string
  readonly name: string
  readonly package: string
  readonly start_command: string
  readonly additive: 0 | 1
  readonly egress: 0 | 1
  readonly user: string
  readonly limits: string
  readonly dependencies: string
  readonly environment: string
  readonly created_at: string
  readonly updated_at: string
}

export class SqliteStagers implements StagerRepository {
  readonly #database: StagerdDatabase

  constructor(database: StagerdDatabase) {
    this.#database = database
  }

  create(draft: StagerDraft): Promise<Stager> {
    return this.#database.write(() => {
      this.#assertFree(draft)
      this.#assertPackage(draft.packageUuid)
      const uuid = randomUUID()
      const now = new Date().toISOString()
      this.#database
        .statement(
          `INSERT INTO stagers (name, package, start_command, additive, egress, user, limits, dependencies, environment,
             updated_at, uuid, namespace, created_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        )
        .run(...encode(draft, now), uuid, draft.namespace, now)
      return this.#get({ uuid })
    })
  }

  get(ref: Ref): Promise<Stager> {
    return this.#database.read(() => this.#get(ref))
  }

  list(filter: { readonly namespace?: string }): Promise<readonly Stager[]> {
    const { where, values } = whereNamespace(filter.namespace ?? '/')
    return this.#database.read(() =>
      this.#database
        .statement<StagerRow>(`SELECT * FROM stagers WHERE ${where} ORDER BY namespace, name`)
        .all(...values)
        .map(decode),
    )
  }

  update(ref: Ref, changeOf: ChangeOf<Stager, StagerChange>): Promise<Stager> {
    return this.#database.write(() => {
      const found = this.#get(ref)
      const changed = { ...found, ...(typeof changeOf === 'function' ? changeOf(found) : changeOf) }
      if (changed.name !== found.name) this.#assertFree(changed)
      if (changed.packageUuid !== found.packageUuid) this.#assertPackage(changed.packageUuid)
      this.#database
        .statement(
          `UPDATE stagers SET name = ?, package = ?, start_command = ?, additive = ?, egress = ?, user = ?, limits = ?,
             dependencies = ?, environment = ?, updated_at = ?
           WHERE uuid = ?`,
        )
        .run(...encode(changed, new Date().toISOString()), found.uuid)
      return this.#get({ uuid: found.uuid })
    })
  }

  delete(ref: Ref): Promise<void> {
    return this.#database.write(() => {
      const found = this.#get(ref)
      const pipelines = this.#database
        .statement<{ namespace: string; name: string }>(
          `SELECT DISTINCT namespace, name FROM pipelines JOIN pipeline_stagers ON pipeline = uuid WHERE stager = ?
           ORDER BY namespace, name LIMIT 10`,
        )
        .all(found.uuid)
        .map(({ namespace, name }) => `stagpipe::${namespace}::${name}`)
      if (pipelines.length > 0)
        throw new Conflict(
          'stager-in-use',
          `job::${found.namespace}::${found.name} is named by ${pipelines.join(', ')}: delete the pipelines first.`,
        )
      this.#database.statement('DELETE FROM stagers WHERE uuid = ?').run(found.uuid)
    })
  }

  #get(ref: Ref): Stager {
    const { where, values } = whereRef(ref)
    const row = this.#database.statement<StagerRow>(`SELECT * FROM stagers WHERE ${where}`).get(...values)
    if (!row) throw new NotFound('stager-not-found', `There is no stager ${describeRef(ref, 'job')}.`)
    return decode(row)
  }

  #assertFree({ namespace, name }: { readonly namespace: string; readonly name: string }): void {
    if (this.#database.statement('SELECT 1 FROM stagers WHERE namespace = ? AND name = ?').get(namespace, name))
      throw new Conflict(
        'stager-exists',
        `There is a job::${namespace}::${name} already: choose another name, or update that one.`,
      )
  }

  #assertPackage(uuid: string): void {
    if (!this.#database.statement('SELECT 1 FROM packages WHERE uuid = ?').get(uuid))
      throw new NotFound('package-not-found', `There is no package ${uuid} to hold the stager's program.`)
  }
}

function encode(stager: StagerDraft, updatedAt: string): unknown[] {
  return [
    stager.name,
    stager.packageUuid,
    stager.startCommand,
    Number(stager.additive),
    Number(stager.egress),
    stager.user,
    JSON.stringify(stager.limits),
    JSON.stringify(stager.dependencies),
    JSON.stringify(stager.environment),
    updatedAt,
  ]
}

function decode(row: StagerRow): Stager {
  return {
    uuid: row.uuid,
    namespace: row.namespace,
    name: row.name,
    packageUuid: row.package,
    startCommand: row.start_command,
    additive: row.additive === 1,
    egress: row.egress === 1,
    user: row.user,
    limits: JSON.parse(row.limits) as Limits,
    dependencies: JSON.parse(row.dependencies) as Capability[],
    environment: JSON.parse(row.environment) as Record<string, string>,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
