import { Type, type Static } from 'typebox'
import { Capabilities, Templates, VariableNames } from './capability.js'
import { Manifest, OwnManifest } from './manifest.js'
import { PACKAGE_STATES, type PackageState } from '../packages/package.js'
import { closed, environment, oneOf } from './schema.js'

export const Resource = Type.Object(
  {
    uuid: Type.String(),
    digest: Type.String({ description: 'sha256:HEX' }),
    sha1: Type.Optional(Type.String({ description: 'sha1:HEX, where it is known' })),
    length: Type.Integer({ description: 'bytes' }),
    compression: Type.String(),
    removals: Type.Integer({ description: 'number of paths in lower layers that it hides' }),
    verified_at: Type.Optional(
      Type.String({
        description: 'when its content was last compared with its digest; only where one package is shown',
      }),
    ),
    damaged: Type.Optional(Type.Boolean({ description: 'whether it differed then: upload it again' })),
  },
  { ...closed, title: 'Resource' },
)
export type Resource = Static<typeof Resource>

const STATE_MEANINGS: Readonly<Record<PackageState, string>> = {
  created: 'metadata without data',
  uploaded: 'has data, and is not staged',
  staging:
    'being staged; if it was ready before, it can still run and others can depend on it, with its data from before',
  ready: 'can run, and others can depend on it',
  failed: 'its last staging failed; its data is unchanged',
}

export const Package = Type.Object(
  {
    uuid: Type.String(),
    fqn: Type.String(),
    namespace: Type.String(),
    name: Type.String(),
    state: oneOf(PACKAGE_STATES, STATE_MEANINGS),
    resource: Type.Optional(Resource),
    dependencies: Capabilities,
    provides: Capabilities,
    environment: environment('applied when the package runs'),
    templates: Templates,
    version: Type.Optional(Type.String()),
    description: Type.Optional(Type.String()),
    manifest: Type.Optional(Manifest),
    created_at: Type.String(),
    updated_at: Type.String(),
  },
  { ...closed, title: 'Package' },
)
export type Package = Static<typeof Package>

/** POST /v1/packages */
export const PackageDraft = Type.Object(
  {
    namespace: Type.String(),
    name: Type.String(),
    dependencies: Type.Optional(Capabilities),
    provides: Type.Optional(Capabilities),
    environment: Type.Optional(environment('applied when the package runs')),
    templates: Type.Optional(Templates),
    resource: Type.Optional(Type.String({ description: 'SHA-256 of an uploaded resource, in hexadecimal' })),
    state: Type.Optional(
      Type.Union([Type.Literal('uploaded'), Type.Literal('ready')], {
        description: 'only with a resource; default: uploaded',
      }),
    ),
    version: Type.Optional(Type.String({ maxLength: 255 })),
    description: Type.Optional(Type.String({ maxLength: 4096 })),
    manifest: OwnManifest,
  },
  { ...closed, title: 'PackageDraft' },
)
export type PackageDraft = Static<typeof PackageDraft>

/** PATCH /v1/packages/{ref} */
export const PackageChange = Type.Object(
  {
    name: Type.Optional(Type.String()),
    provides_add: Type.Optional(Capabilities),
    provides_remove: Type.Optional(Capabilities),
    dependencies_add: Type.Optional(Capabilities),
    dependencies_remove: Type.Optional(Capabilities),
    environment_set: Type.Optional(environment('added or replaced')),
    environment_unset: Type.Optional(VariableNames),
    manifest: OwnManifest,
  },
  { ...closed, title: 'PackageChange' },
)
export type PackageChange = Static<typeof PackageChange>

/** PUT /v1/packages/{ref}/resource */
export const PackageResourceChange = Type.Object(
  {
    resource: Type.String({ description: 'SHA-256 of an uploaded resource, in hexadecimal' }),
    state: Type.Optional(Type.Union([Type.Literal('uploaded'), Type.Literal('ready')])),
  },
  { ...closed, title: 'PackageResourceChange' },
)

/** PUT /v1/packages/{ref}/content: takes everything but the name from another package, and deletes that package. */
export const PackageReplacement = Type.Object(
  { from: Type.String({ description: 'ref of the package whose content moves here' }) },
  { ...closed, title: 'PackageReplacement' },
)
export type PackageReplacement = Static<typeof PackageReplacement>

/**
 * Response of POST /v1/resources?sha256=HEX, sent once the tarball is durable. Digest and length are those of what is
 * stored, which differs from what was sent if that had other names than canonical ones.
 */
export const UploadedResource = Type.Object(
  { sha256: Type.String(), length: Type.Integer(), compression: Type.String(), entries: Type.Integer() },
  { ...closed, title: 'UploadedResource' },
)
export type UploadedResource = Static<typeof UploadedResource>
