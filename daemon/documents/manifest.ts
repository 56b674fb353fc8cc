import { Type, type Static } from 'typebox'
import { SMALLEST_LIMITS } from '../../base/smallest-limits.js'
import { MAX_CPU, ROUTE_TYPES } from '../packages/manifest/manifest.js'
import { Capabilities, Templates } from './capability.js'
import { AnyName, closed, environment, oneOf } from './schema.js'

/** POST /v1/manifests */
export const ManifestText = Type.Object({ manifest: Type.String() }, { ...closed, title: 'ManifestText' })
export type ManifestText = Static<typeof ManifestText>

const Position = Type.Object({ line: Type.Integer(), column: Type.Integer() }, closed)

const Service = Type.Object(
  {
    provider_name: Type.Optional(Type.String()),
    type: Type.Optional(Type.String()),
    service_name: Type.Optional(Type.String()),
  },
  closed,
)

const Route = Type.Object(
  {
    type: oneOf(ROUTE_TYPES),
    endpoint: Type.String({ description: 'a host name, or auto' }),
    weight: Type.Optional(Type.Number()),
  },
  closed,
)

/** The content of a manifest. docs/manifest.md describes the language. */
export const Manifest = Type.Object(
  {
    name: Type.Optional(Type.String()),
    namespace: Type.Optional(Type.String()),
    staging_pipeline: Type.Optional(Type.String()),
    path: Type.Optional(Type.String({ description: 'of the source, relative to the directory of the manifest' })),
    start_cmd: Type.Optional(Type.String({ description: 'goes over the START_COMMAND of the stagers' })),
    package_dependencies: Type.Optional(Capabilities),
    env: Type.Optional(environment('of the package; the values are templates')),
    templates: Type.Optional(Templates),
    resources: Type.Optional(
      Type.Object(
        {
          cpu: Type.Optional(
            Type.Integer({ minimum: 1, maximum: MAX_CPU, description: 'milliseconds of a CPU in each second' }),
          ),
          memory_bytes: Type.Optional(Type.Integer({ minimum: SMALLEST_LIMITS.memoryBytes })),
          disk_bytes: Type.Optional(Type.Integer({ minimum: SMALLEST_LIMITS.diskBytes })),
          network_bits_per_second: Type.Optional(Type.Integer({ minimum: 0 })),
        },
        { ...closed, description: 'limits of a run, unless the request has others; the network is for jobs' },
      ),
    ),
    instances: Type.Optional(Type.Integer()),
    ports: Type.Optional(Type.Array(Type.Object({ number: Type.Integer(), routes: Type.Array(Route) }, closed))),
    disable_routes: Type.Optional(Type.Boolean()),
    allow_egress: Type.Optional(Type.Boolean()),
    start: Type.Optional(Type.Boolean()),
    services: Type.Optional(Type.Array(Service)),
    stager_options: Type.Optional(
      Type.Array(Type.Object({ stager_name: Type.String(), services: Type.Array(Service) }, closed)),
    ),
    timeout: Type.Optional(Type.Integer({ description: 'seconds' })),
    restart: Type.Optional(Type.String()),
    tags: Type.Optional(environment('by name')),
    user: Type.Optional(Type.String()),
    group: Type.Optional(Type.String()),
    ssh: Type.Optional(Type.Boolean()),
    places: Type.Optional(
      Type.Record(AnyName, Position, {
        description: 'where its text has what only a run can judge: by key, as in env/PORT and templates/0/path',
      }),
    ),
  },
  { ...closed, title: 'Manifest' },
)
export type Manifest = Static<typeof Manifest>

/** The answer to POST /v1/manifests. */
export const ParsedManifest = Type.Object(
  {
    ...Manifest.properties,
    places: Type.Optional(
      Type.Record(AnyName, Position, {
        description:
          'where the values are in the text, for what only the caller can judge: by key, as in env/PORT; package_dependencies/0 is the first dependency of this document',
      }),
    ),
  },
  { ...closed, title: 'ParsedManifest' },
)
export type ParsedManifest = Static<typeof ParsedManifest>

/** Text of a manifest in a document about a package. */
export const OwnManifest = Type.Optional(
  Type.String({
    description:
      'text of a manifest, whose variables and templates the package gets, and which it keeps; other fields go over it; an empty text for none',
  }),
)
