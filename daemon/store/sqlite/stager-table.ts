import { randomUUID } from 'node:crypto'
import { NotFound } from '../../../base/errors.js'
import type { Limits } from '../../../isolation/launch-plan.js'
import type { Capability } from '../../packages/metadata.js'
import type { Ref, Stager, StagerDraft, StagerFilter } from '../repositories.js'
import type { StagerdDatabase } from './database.js'
import { notFound } from '../not-found.js'
import { whereNamespace, whereRef } from './references.js'

interface StagerRow {
  readonly uuid: string
  readonly namespace: string
  readonly name: string
  readonly package: string
  readonly start_command: string
  readonly additive: 0 | 1
  readonly egress: 0 | 1
  readonly reproducible: 0 | 1
  readonly clean_environment: 0 | 1
  readonly secrets: string
  readonly user: string
  readonly limits: string
  readonly dependencies: string
  readonly expects: string
  readonly environment: string
  readonly created_at: string
  readonly updated_at: string
}

/** Rows of stagers, to be used inside a transaction. */
export class StagerTable {
  readonly #database: StagerdDatabase

  constructor(database: StagerdDatabase) {
    this.#database = database
  }

  find(ref: Ref): Stager | undefined {
    const { where, values } = whereRef(ref)
    const row = this.#database.statement<StagerRow>(`SELECT * FROM stagers WHERE ${where}`).get(...values)
    return row && decode(row)
  }

  /** Throws `NotFound` (`stager-not-found`). */
  get(ref: Ref): Stager {
    const found = this.find(ref)
    if (!found) throw notFound('job', ref)
    return found
  }

  list({ namespace = '/', packageUuid }: StagerFilter): Stager[] {
    const { where, values } = whereNamespace(namespace)
    const ofPackage = packageUuid === undefined ? '' : 'AND package = ?'
    return this.#database
      .statement<StagerRow>(`SELECT * FROM stagers WHERE ${where} ${ofPackage} ORDER BY namespace, name`)
      .all(...values, ...(packageUuid === undefined ? [] : [packageUuid]))
      .map(decode)
  }

  /** The name must be free. Throws `NotFound` (`package-not-found`). */
  insert(draft: StagerDraft): Stager {
    this.#assertPackage(draft.packageUuid)
    const uuid = randomUUID()
    const now = new Date().toISOString()
    this.#database
      .statement(
        `INSERT INTO stagers (name, package, start_command, additive, egress, reproducible, clean_environment, secrets, user, limits,
           dependencies, expects, environment, updated_at, uuid, namespace, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(...encode(draft, now), uuid, draft.namespace, now)
    return this.get({ uuid })
  }

  /** A new name must be free. Throws `NotFound` (`package-not-found`). */
  replace(found: Stager, changed: StagerDraft): Stager {
    if (changed.packageUuid !== found.packageUuid) this.#assertPackage(changed.packageUuid)
    this.#database
      .statement(
        `UPDATE stagers SET name = ?, package = ?, start_command = ?, additive = ?, egress = ?, reproducible = ?,
           clean_environment = ?, secrets = ?, user = ?, limits = ?, dependencies = ?, expects = ?, environment = ?,
           updated_at = ?
         WHERE uuid = ?`,
      )
      .run(...encode(changed, new Date().toISOString()), found.uuid)
    return this.get({ uuid: found.uuid })
  }

  delete({ uuid }: Stager): void {
    this.#database.statement('DELETE FROM stagers WHERE uuid = ?').run(uuid)
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
    Number(stager.reproducible ?? false),
    Number(stager.cleanEnvironment ?? false),
    JSON.stringify(stager.secrets ?? []),
    stager.user,
    JSON.stringify(stager.limits),
    JSON.stringify(stager.dependencies),
    JSON.stringify(stager.expects ?? []),
    JSON.stringify(stager.environment),
    updatedAt,
  ]
}

function decode(row: StagerRow): Stager {
  const secrets = JSON.parse(row.secrets) as string[]
  const expects = JSON.parse(row.expects) as Capability[]
  return {
    uuid: row.uuid,
    namespace: row.namespace,
    name: row.name,
    packageUuid: row.package,
    startCommand: row.start_command,
    additive: row.additive === 1,
    egress: row.egress === 1,
    ...(row.reproducible === 1 ? { reproducible: true } : {}),
    ...(row.clean_environment === 1 ? { cleanEnvironment: true } : {}),
    ...(secrets.length > 0 ? { secrets } : {}),
    user: row.user,
    limits: JSON.parse(row.limits) as Limits,
    dependencies: JSON.parse(row.dependencies) as Capability[],
    ...(expects.length > 0 ? { expects } : {}),
    environment: JSON.parse(row.environment) as Record<string, string>,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
