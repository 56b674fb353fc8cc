/** The metadata of a package. Shapes and field names are those of `GET /meta` of the Stager API. */

export const CAPABILITY_TYPES = ['os', 'runtime', 'file', 'package'] as const
export type CapabilityType = (typeof CAPABILITY_TYPES)[number]

/** What one package provides and others depend on; written `type.name`. */
export interface Capability {
  readonly type: CapabilityType
  readonly name: string
}

/** A file whose placeholders are replaced when the package runs. */
export interface Template {
  readonly path: string
  readonly left_delimiter: string
  readonly right_delimiter: string
}

export interface PackageMetadata {
  readonly dependencies: readonly Capability[]
  readonly provides: readonly Capability[]
  readonly environment: Readonly<Record<string, string>>
  readonly templates: readonly Template[]
}

export const EMPTY_METADATA: PackageMetadata = { dependencies: [], provides: [], environment: {}, templates: [] }
