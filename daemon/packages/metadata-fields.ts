import { applyChanges, type MetadataChange } from './metadata-change.js'
import { EMPTY_METADATA, type Capability, type PackageMetadata } from './metadata.js'

/** The fields of the API documents that change the metadata of a package or a stager. */
export interface MetadataFields {
  readonly provides_add?: readonly Capability[]
  readonly provides_remove?: readonly Capability[]
  readonly dependencies_add?: readonly Capability[]
  readonly dependencies_remove?: readonly Capability[]
  readonly environment_set?: Readonly<Record<string, string>>
  readonly environment_unset?: readonly string[]
}

/**
 * Returns `before` after all changes in `fields`. Removals come first, so an entry in both lists exists afterwards.
 *
 * Throws what `applyChanges` throws.
 */
export function applyMetadataFields(before: Partial<PackageMetadata>, fields: MetadataFields): PackageMetadata {
  const { dependencies, provides, environment, templates } = { ...EMPTY_METADATA, ...before }
  return applyChanges({ dependencies, provides, environment, templates }, changesOf(fields))
}

function changesOf(fields: MetadataFields): MetadataChange[] {
  const capabilities = (
    resource: 'provides' | 'dependencies',
    action: 'add' | 'remove',
    list: readonly Capability[] = [],
  ) => list.map((capability): MetadataChange => ({ resource, action, capability }))
  return [
    ...capabilities('provides', 'remove', fields.provides_remove),
    ...capabilities('dependencies', 'remove', fields.dependencies_remove),
    ...(fields.environment_unset ?? []).map((key): MetadataChange => ({
      resource: 'environment',
      action: 'remove',
      key,
    })),
    ...capabilities('provides', 'add', fields.provides_add),
    ...capabilities('dependencies', 'add', fields.dependencies_add),
    ...Object.entries(fields.environment_set ?? {}).map(([key, value]): MetadataChange => ({
      resource: 'environment',
      action: 'add',
      key,
      value,
    })),
  ]
}
