import { Type, type Static } from 'typebox'
import { KeptContainer } from './kept.js'
import { closed } from './schema.js'

export const NodeStatus = Type.Object(
  {
    version: Type.String(),
    node: Type.String({ description: 'UUID of this staging node' }),
    state_dir: Type.String(),
    engine: Type.Object({ answers: Type.Boolean(), message: Type.String() }, closed),
    packages: Type.Integer({ description: 'number of ready packages' }),
    stagings: Type.Object(
      {
        queued: Type.Integer({ description: 'of all nodes that share the database' }),
        interrupted: Type.Optional(
          Type.Integer({
            description:
              'that run at no node now, and go on at the next one with a free slot; of all nodes that share the database',
          }),
        ),
        running: Type.Integer({ description: 'those of this node' }),
        at_work: Type.Optional(
          Type.Integer({
            description: 'those that run, and those of which something is still being removed from the host',
          }),
        ),
        limit: Type.Integer({ description: 'how many this node runs at once' }),
      },
      closed,
    ),
    draining: Type.Boolean({ description: 'whether queued stagings wait until the node is undrained' }),
    prepared: Type.Optional(Type.Integer({ description: 'containers that were created ahead, and wait for a launch' })),
    kept_networks: Type.Optional(
      Type.Integer({
        description: 'networks that no launch has, and that are kept for the next ones, for half a minute',
      }),
    ),
    stager_caches: Type.Object(
      { count: Type.Integer(), bytes: Type.Integer() },
      { ...closed, description: 'what is kept for stagers' },
    ),
    verification: Type.Optional(
      Type.Object(
        {
          period_seconds: Type.Number({ description: '0 if nothing is verified in the background' }),
          bytes: Type.Integer({ description: 'of blobs and layers, when they were last listed' }),
          due_bytes: Type.Integer({ description: 'what of it was not verified within the period' }),
          oldest_at: Type.Optional(
            Type.String({ description: 'when that was verified which was verified longest ago' }),
          ),
          damaged_blobs: Type.Integer({ description: 'node doctor names them' }),
          damaged_layers: Type.Integer({ description: 'those that are in use still; others were made again' }),
        },
        { ...closed, description: 'whether what is stored is as it was' },
      ),
    ),
    cloud_foundry: Type.Optional(
      Type.Object(
        {
          ready: Type.Boolean({ description: 'whether they come from NATS' }),
          message: Type.String({ description: 'if not, why, and what to do' }),
          active: Type.Integer({ description: 'that are under way' }),
          waiting: Type.Integer({ description: 'that wait for one of them to end' }),
        },
        { ...closed, description: 'staging requests of Cloud Foundry, if they are turned on' },
      ),
    ),
    kept: Type.Array(KeptContainer, { description: 'containers of failed launches, oldest first' }),
    uptime_seconds: Type.Number(),
  },
  { ...closed, title: 'NodeStatus' },
)
export type NodeStatus = Static<typeof NodeStatus>

export const DoctorReport = Type.Object(
  {
    findings: Type.Array(
      Type.Object(
        {
          subject: Type.String(),
          verdict: Type.Union([Type.Literal('good'), Type.Literal('slow'), Type.Literal('bad')]),
          message: Type.String(),
        },
        closed,
      ),
    ),
  },
  { ...closed, title: 'DoctorReport' },
)
export type DoctorReport = Static<typeof DoctorReport>
