import { randomUUID } from 'node:crypto'
import { NotFound } from '../../../base/errors.js'
import type { Limits } from '../../../isolation/launch-plan.js'
import type { Capability } from '../../packages/metadata.js'
import type { Ref, Stager, StagerDraft, StagerFilter } from '../repositories.js'
import { sql, type Value, type Work } from './work.js'
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
  readonly labels: string
  readonly environment: string
  readonly created_at: string
  readonly updated_at: string
}

/** Rows of stagers, to be used inside a transaction. */
export class StagerTable {
  *find(ref: Ref): Work<Stager | undefined> {
    const { where, values } = whereRef(ref)
    const row = yield* sql.one<StagerRow>(`SELECT * FROM stagers WHERE ${where}`, ...values)
    return row && decode(row)
  }

  /** Throws `NotFound` (`stager-not-found`). */
  *get(ref: Ref): Work<Stager> {
    const found = yield* this.find(ref)
    if (!found) throw notFound('job', ref)
    return found
  }

  *list({ namespace = '/', packageUuid }: StagerFilter): Work<Stager[]> {
    const { where, values } = whereNamespace(namespace)
    const ofPackage = packageUuid === undefined ? '' : 'AND package = ?'
    return (yield* sql.all<StagerRow>(
      `SELECT * FROM stagers WHERE ${where} ${ofPackage} ORDER BY namespace, name`,
      ...values,
      ...(packageUuid === undefined ? [] : [packageUuid]),
    )).map(decode)
  }

  /** The name must be free. Throws `NotFound` (`package-not-found`). */
  *insert(draft: StagerDraft): Work<Stager> {
    yield* this.#requirePackage(draft.packageUuid)
    const uuid = randomUUID()
    const now = new Date().toISOString()
    yield* sql.run(
      `INSERT INTO stagers (name, package, start_command, additive, egress, reproducible, clean_environment, secrets, "user", limits,
           dependencies, expects, labels, environment, updated_at, uuid, namespace, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...encode(draft, now),
      uuid,
      draft.namespace,
      now,
    )
    return yield* this.get({ uuid })
  }

  /** A new name must be free. Throws `NotFound` (`package-not-found`). */
  *replace(found: Stager, changed: StagerDraft): Work<Stager> {
    if (changed.packageUuid !== found.packageUuid) yield* this.#requirePackage(changed.packageUuid)
    yield* sql.run(
      `UPDATE stagers SET name = ?, package = ?, start_command = ?, additive = ?, egress = ?, reproducible = ?,
           clean_environment = ?, secrets = ?, "user" = ?, limits = ?, dependencies = ?, expects = ?, labels = ?, environment = ?,
           updated_at = ?
         WHERE uuid = ?`,
      ...encode(changed, new Date().toISOString()),
      found.uuid,
    )
    return yield* this.get({ uuid: found.uuid })
  }

  *delete({ uuid }: Stager): Work<void> {
    yield* sql.run('DELETE FROM stagers WHERE uuid = ?', uuid)
  }

  *#requirePackage(uuid: string): Work<void> {
    if (!(yield* sql.one('SELECT 1 FROM packages WHERE uuid = ?', uuid)))
      throw new NotFound('package-not-found', `There is no package ${uuid} to hold the stager's program.`)
  }
}

function encode(stager: StagerDraft, updatedAt: string): Value[] {
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
    JSON.stringify(stager.labels ?? []),
    JSON.stringify(stager.environment),
    updatedAt,
  ]
}

function decode(row: StagerRow): Stager {
  const secrets = JSON.parse(row.secrets) as string[]
  const expects = JSON.parse(row.expects) as Capability[]
  const labels = JSON.parse(row.labels) as string[]
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
    ...(labels.length > 0 ? { labels } : {}),
    environment: JSON.parse(row.environment) as Record<string, string>,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
