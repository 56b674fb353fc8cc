import { randomUUID } from 'node:crypto'
import { Conflict } from '../../../base/errors.js'
import { formatFqn } from '../../../base/fqn.js'
import type { Manifest } from '../../packages/manifest/manifest.js'
import type { Capability, PackageMetadata, Template } from '../../packages/metadata.js'
import type { Package, PackageState, Resource } from '../../packages/package.js'
import type { PackageDraft, Ref } from '../repositories.js'
import type { StagerdDatabase } from './database.js'
import type { NamespaceQuota } from './namespace-quota.js'
import { notFound } from '../not-found.js'
import { whereRef } from './references.js'
import { OPEN_STAGING, PACKAGE } from './states.js'

interface PackageRow {
  readonly import_order: number
  readonly uuid: string
  readonly namespace: string
  readonly name: string
  readonly state: PackageState
  readonly usable: 0 | 1
  readonly resource: string | null
  readonly environment: string
  readonly templates: string
  readonly version: string | null
  readonly description: string | null
  readonly recipe: string | null
  readonly manifest: string | null
  readonly created_at: string
  readonly updated_at: string
  readonly provides: string
  readonly dependencies: string
}

/** The columns that can change. */
export type PackageContent = PackageMetadata &
  Pick<Package, 'name' | 'state' | 'resource' | 'version' | 'description' | 'recipe' | 'manifest'>

const capabilitiesFrom = (table: string) => `(
  SELECT json_group_array(json_object('type', type, 'name', name) ORDER BY position)
  FROM ${table} WHERE package = packages.import_order)`

const USABLE = `(
  packages.state = ${PACKAGE.ready} OR EXISTS (
    SELECT 1 FROM stagings WHERE stagings.package = packages.uuid AND stagings.state IN ${OPEN_STAGING}
      AND stagings.package_state_before = ${PACKAGE.ready}))`

const SELECT = `SELECT *, ${USABLE} AS usable, ${capabilitiesFrom('package_provides')} AS provides,
  ${capabilitiesFrom('package_dependencies')} AS dependencies FROM packages`

/** Rows of packages, to be used inside a transaction. */
export class PackageTable {
  readonly #database: StagerdDatabase
  readonly #quota: Pick<NamespaceQuota, 'admitGrowth'>
  readonly #now: () => Date

  constructor(
    database: StagerdDatabase,
    quota: Pick<NamespaceQuota, 'admitGrowth'>,
    now: () => Date = () => new Date(),
  ) {
    this.#database = database
    this.#quota = quota
    this.#now = now
  }

  select(where: string, values: readonly unknown[], order: 'import_order' | 'revision' = 'import_order'): Package[] {
    return this.#database
      .statement<PackageRow>(`${SELECT} WHERE ${where} ORDER BY ${order}`)
      .all(...values)
      .map(decode)
  }

  find(ref: Ref): Package | undefined {
    const { where, values } = whereRef(ref)
    return this.select(where, values)[0]
  }

  /** Throws `NotFound` (`package-not-found`). */
  get(ref: Ref): Package {
    const found = this.find(ref)
    if (!found) throw notFound('package', ref)
    return found
  }

  /** The name must be free. Throws `Refused` (`package-quota`). */
  insert(draft: PackageDraft): Package {
    this.#admit(draft.namespace, undefined, draft.resource)
    const uuid = randomUUID()
    const now = this.#now().toISOString()
    const state = draft.resource ? (draft.state ?? 'uploaded') : 'created'
    const { lastInsertRowid } = this.#database
      .statement(
        `INSERT INTO packages
           (uuid, namespace, name, state, resource, environment, templates, version, description, recipe,
            manifest, created_at, updated_at, revision)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(uuid, draft.namespace, draft.name, state, ...encode(draft), now, now, this.#nextRevision())
    this.#setCapabilities(Number(lastInsertRowid), draft)
    return this.get({ uuid })
  }

  /** Throws `Conflict` (`state-changed`) if the package is not in the state of `before`, `Refused` (`package-quota`). */
  replace(before: Package, content: PackageContent): Package {
    this.#admit(before.namespace, before.resource, content.resource)
    const { changes } = this.#database
      .statement(
        `UPDATE packages SET name = ?, state = ?, resource = ?, environment = ?, templates = ?, version = ?, description = ?,
           recipe = ?, manifest = ?, updated_at = ?, revision = ?
         WHERE import_order = ? AND state = ?`,
      )
      .run(
        content.name,
        content.state,
        ...encode(content),
        this.#now().toISOString(),
        this.#nextRevision(),
        before.importOrder,
        before.state,
      )
    this.#assertChanged(changes, before)
    this.#setCapabilities(before.importOrder, content)
    return this.get({ uuid: before.uuid })
  }

  /** Throws `Conflict` (`state-changed`). */
  delete(found: Package): void {
    const { changes } = this.#database
      .statement('DELETE FROM packages WHERE import_order = ? AND state = ?')
      .run(found.importOrder, found.state)
    this.#assertChanged(changes, found)
    this.#database.statement('UPDATE package_changes SET deletions = deletions + 1').run()
  }

  #admit(namespace: string, before: Resource | undefined, after: Resource | undefined): void {
    if (after && after.length > (before?.length ?? 0)) this.#quota.admitGrowth(namespace, after.length)
  }

  #assertChanged(changes: number, before: Package): void {
    if (changes === 1) return
    throw new Conflict(
      'state-changed',
      `${formatFqn('package', before)} is not ${before.state} any more: look at it again.`,
    )
  }

  #nextRevision(): number {
    const row = this.#database
      .statement<{ revision: number }>('UPDATE package_changes SET revision = revision + 1 RETURNING revision')
      .get()
    return row?.revision ?? 0
  }

  #setCapabilities(importOrder: number, { provides, dependencies }: PackageMetadata): void {
    for (const [table, capabilities] of [
      ['package_provides', provides],
      ['package_dependencies', dependencies],
    ] as const) {
      this.#database.statement(`DELETE FROM ${table} WHERE package = ?`).run(importOrder)
      // Duplicates are ignored; the first position counts.
      const insert = this.#database.statement(
        `INSERT OR IGNORE INTO ${table} (package, position, type, name) VALUES (?, ?, ?, ?)`,
      )
      capabilities.forEach(({ type, name }, position) => insert.run(importOrder, position, type, name))
    }
  }
}

function encode({
  resource,
  environment,
  templates,
  version,
  description,
  recipe,
  manifest,
}: Pick<PackageContent, 'environment' | 'templates' | 'version' | 'description' | 'recipe' | 'manifest'> & {
  resource?: Resource | undefined
}) {
  return [
    resource ? JSON.stringify(resource) : null,
    JSON.stringify(environment),
    JSON.stringify(templates),
    version ?? null,
    description ?? null,
    recipe ?? null,
    manifest ? JSON.stringify(manifest) : null,
  ]
}

function decode(row: PackageRow): Package {
  return {
    uuid: row.uuid,
    namespace: row.namespace,
    name: row.name,
    state: row.state,
    usable: row.usable === 1,
    resource: row.resource === null ? undefined : decodeResource(JSON.parse(row.resource) as Resource),
    dependencies: JSON.parse(row.dependencies) as Capability[],
    provides: JSON.parse(row.provides) as Capability[],
    environment: JSON.parse(row.environment) as Record<string, string>,
    templates: JSON.parse(row.templates) as Template[],
    ...(row.version === null ? {} : { version: row.version }),
    ...(row.description === null ? {} : { description: row.description }),
    ...(row.recipe === null ? {} : { recipe: row.recipe }),
    ...(row.manifest === null ? {} : { manifest: JSON.parse(row.manifest) as Manifest }),
    importOrder: row.import_order,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

/** JSON omits undefined properties. */
export function decodeResource(resource: Resource): Resource {
  return { ...resource, sha1: resource.sha1 }
}
