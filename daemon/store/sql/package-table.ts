import { randomUUID } from 'node:crypto'
import { Conflict } from '../../../base/errors.js'
import { formatFqn } from '../../../base/fqn.js'
import type { Manifest } from '../../packages/manifest/manifest.js'
import type { Capability, PackageMetadata, Template } from '../../packages/metadata.js'
import type { Package, PackageState, Resource } from '../../packages/package.js'
import type { PackageDraft, Ref } from '../repositories.js'
import type { Dialect } from './dialect.js'
import { sql, type Value, type Work } from './work.js'
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

/** 1 or 0. */
const USABLE = `CASE WHEN (
  packages.state = ${PACKAGE.ready} OR EXISTS (
    SELECT 1 FROM stagings WHERE stagings.package = packages.uuid AND stagings.state IN ${OPEN_STAGING}
      AND stagings.package_state_before = ${PACKAGE.ready})) THEN 1 ELSE 0 END`

function selectIn({ jsonArray }: Dialect): string {
  const capabilitiesFrom = (table: string) =>
    jsonArray(['type', 'name'], 'position', `${table} WHERE package = packages.import_order`)
  return `SELECT *, ${USABLE} AS usable, ${capabilitiesFrom('package_provides')} AS provides,
    ${capabilitiesFrom('package_dependencies')} AS dependencies FROM packages`
}

/** Rows of packages, to be used inside a transaction. */
export class PackageTable {
  readonly #select: string
  readonly #quota: Pick<NamespaceQuota, 'admitGrowth'>
  readonly #now: () => Date

  constructor(dialect: Dialect, quota: Pick<NamespaceQuota, 'admitGrowth'>, now: () => Date = () => new Date()) {
    this.#select = selectIn(dialect)
    this.#quota = quota
    this.#now = now
  }

  *select(
    where: string,
    values: readonly Value[],
    order: 'import_order' | 'revision' = 'import_order',
  ): Work<Package[]> {
    return (yield* sql.all<PackageRow>(`${this.#select} WHERE ${where} ORDER BY ${order}`, ...values)).map(decode)
  }

  *find(ref: Ref): Work<Package | undefined> {
    const { where, values } = whereRef(ref)
    return (yield* this.select(where, values))[0]
  }

  /** Throws `NotFound` (`package-not-found`). */
  *get(ref: Ref): Work<Package> {
    const found = yield* this.find(ref)
    if (!found) throw notFound('package', ref)
    return found
  }

  /** The name must be free. Throws `Refused` (`package-quota`). */
  *insert(draft: PackageDraft): Work<Package> {
    yield* this.#admit(draft.namespace, undefined, draft.resource)
    const uuid = randomUUID()
    const now = this.#now().toISOString()
    const state = draft.resource ? (draft.state ?? 'uploaded') : 'created'
    const inserted = yield* sql.one<{ import_order: number }>(
      `INSERT INTO packages
           (uuid, namespace, name, state, resource, environment, templates, version, description, recipe,
            manifest, created_at, updated_at, revision)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING import_order`,
      uuid,
      draft.namespace,
      draft.name,
      state,
      ...encode(draft),
      now,
      now,
      yield* this.#nextRevision(),
    )
    if (inserted) yield* this.#setCapabilities(inserted.import_order, draft)
    return yield* this.get({ uuid })
  }

  /** Throws `Conflict` (`state-changed`) if the package is not in the state of `before`, `Refused` (`package-quota`). */
  *replace(before: Package, content: PackageContent): Work<Package> {
    yield* this.#admit(before.namespace, before.resource, content.resource)
    const changes = yield* sql.run(
      `UPDATE packages SET name = ?, state = ?, resource = ?, environment = ?, templates = ?, version = ?, description = ?,
           recipe = ?, manifest = ?, updated_at = ?, revision = ?
         WHERE import_order = ? AND state = ?`,
      content.name,
      content.state,
      ...encode(content),
      this.#now().toISOString(),
      yield* this.#nextRevision(),
      before.importOrder,
      before.state,
    )
    this.#assertChanged(changes, before)
    yield* this.#setCapabilities(before.importOrder, content)
    return yield* this.get({ uuid: before.uuid })
  }

  /** Throws `Conflict` (`state-changed`). */
  *delete(found: Package): Work<void> {
    const changes = yield* sql.run(
      'DELETE FROM packages WHERE import_order = ? AND state = ?',
      found.importOrder,
      found.state,
    )
    this.#assertChanged(changes, found)
    yield* sql.run('UPDATE package_changes SET deletions = deletions + 1')
  }

  *#admit(namespace: string, before: Resource | undefined, after: Resource | undefined): Work<void> {
    if (after && after.length > (before?.length ?? 0)) yield* this.#quota.admitGrowth(namespace, after.length)
  }

  #assertChanged(changes: number, before: Package): void {
    if (changes === 1) return
    throw new Conflict(
      'state-changed',
      `${formatFqn('package', before)} is not ${before.state} any more: look at it again.`,
    )
  }

  *#nextRevision(): Work<number> {
    const row = yield* sql.one<{ revision: number }>(
      'UPDATE package_changes SET revision = revision + 1 RETURNING revision',
    )
    return row?.revision ?? 0
  }

  *#setCapabilities(importOrder: number, { provides, dependencies }: PackageMetadata): Work<void> {
    for (const [table, capabilities] of [
      ['package_provides', provides],
      ['package_dependencies', dependencies],
    ] as const) {
      yield* sql.run(`DELETE FROM ${table} WHERE package = ?`, importOrder)
      // Duplicates are ignored; the first position counts.
      for (const [position, { type, name }] of capabilities.entries())
        yield* sql.run(
          `INSERT INTO ${table} (package, position, type, name) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
          ...[importOrder, position, type, name],
        )
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
