/** What a package says of itself. The shapes and field names are those of the Stager API's `GET /meta`. */

export const CAPABILITY_TYPES = ['os', 'runtime', 'file', 'package'] as const
export type CapabilityType = (typeof CAPABILITY_TYPES)[number]

/** What one package provides and another depends on; written `type.name`. */
export interface Capability {
  readonly type: CapabilityType
  readonly name: string
}

/** A file whose text is filled in when the package runs. */
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
