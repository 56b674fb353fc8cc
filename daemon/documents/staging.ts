import { Type, type Static } from 'typebox'
import { Capability } from './capability.js'
import { closed, environment } from './schema.js'

export const Failure = Type.Object(
  {
    cause: Type.String({
      description:
        'stager-failed, no-verdict, timeout, out-of-memory, disk-full, pids-limit, relaunch-limit, unresolved, policy or infrastructure',
    }),
    stager: Type.Optional(Type.String()),
    message: Type.String(),
    hint: Type.String(),
  },
  { ...closed, title: 'Failure' },
)

export const Launch = Type.Object(
  {
    uuid: Type.String(),
    stager: Type.String(),
    state: Type.String({ description: 'starting, running, done, failed, relaunched or aborted' }),
    exit_code: Type.Optional(Type.Integer()),
    started_at: Type.String(),
    ended_at: Type.Optional(Type.String()),
  },
  { ...closed, title: 'Launch' },
)

export const StagingState = Type.Union([
  Type.Literal('queued'),
  Type.Literal('running'),
  Type.Literal('succeeded'),
  Type.Literal('failed'),
  Type.Literal('cancelled'),
])

export const Staging = Type.Object(
  {
    uuid: Type.String(),
    state: StagingState,
    package: Type.String(),
    package_uuid: Type.String(),
    pipeline: Type.String(),
    stagers: Type.Array(Type.String()),
    launches: Type.Array(Launch),
    failure: Type.Optional(Failure),
    submitted_at: Type.String(),
    started_at: Type.Optional(Type.String()),
    ended_at: Type.Optional(Type.String()),
  },
  { ...closed, title: 'Staging' },
)
export type Staging = Static<typeof Staging>

/** POST /v1/stagings */
export const StagingDraft = Type.Object(
  {
    package: Type.String({ description: 'ref' }),
    pipeline: Type.String({ description: 'ref' }),
    source: Type.Optional(
      Type.Object(
        {
          resource: Type.String({ description: 'SHA-256 of an uploaded resource, in hexadecimal' }),
          dependencies: Type.Optional(Type.Array(Capability)),
          environment: Type.Optional(environment('over that of the package')),
        },
        {
          ...closed,
          description: "staged instead of the package's own data, which the package keeps until that has succeeded",
        },
      ),
    ),
  },
  { ...closed, title: 'StagingDraft' },
)
export type StagingDraft = Static<typeof StagingDraft>

/** Data of a server-sent event `line` of GET /v1/stagings/{uuid}/log; the event's id is `seq`. */
export const LogLine = Type.Object(
  {
    seq: Type.Integer({ minimum: 1 }),
    time: Type.String(),
    stream: Type.Union([Type.Literal('staging'), Type.Literal('stdout'), Type.Literal('stderr')]),
    text: Type.String(),
  },
  { ...closed, title: 'LogLine' },
)
export type LogLine = Static<typeof LogLine>
