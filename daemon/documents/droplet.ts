import { Type, type Static } from 'typebox'
import { capabilities } from './capability.js'
import { SomeLimits } from './limits.js'
import { Publish } from './run.js'
import { AnyName, closed, environment } from './schema.js'

/** Answer of POST /v1/droplets. */
export const UploadedDroplet = Type.Object(
  {
    sha256: Type.String({ description: 'names the droplet for POST /v1/droplet-runs' }),
    length: Type.Integer({ description: 'bytes that are stored' }),
    entries: Type.Integer(),
    dependencies: capabilities('that stagerd has recorded in it; empty for droplets from elsewhere'),
  },
  { ...closed, title: 'UploadedDroplet' },
)
export type UploadedDroplet = Static<typeof UploadedDroplet>

/** POST /v1/droplet-runs. The response is that of POST /v1/runs. */
export const DropletRunDraft = Type.Object(
  {
    droplet: Type.String({ description: 'sha256 of an UploadedDroplet' }),
    name: Type.String({ description: 'of the application; the policies of its namespace see it as a package' }),
    namespace: Type.String({ description: 'in which the dependencies are resolved' }),
    dependencies: capabilities('what it runs on: those of the UploadedDroplet, or others'),
    services: Type.Optional(
      Type.Record(AnyName, Type.Array(Type.Unknown()), {
        description: 'VCAP_SERVICES: arrays of bound services, by their label; default: none',
      }),
    ),
    environment: Type.Optional(environment('added to what every droplet gets; these values win')),
    publish: Type.Optional(Publish('the first container port is VCAP_APP_PORT and PORT; without one, 8080')),
    allow_egress: Type.Optional(Type.Boolean()),
    limits: Type.Optional(SomeLimits),
  },
  { ...closed, title: 'DropletRunDraft' },
)
export type DropletRunDraft = Static<typeof DropletRunDraft>
