import { Type, type Static } from 'typebox'
import type { Ending } from '../../isolation/isolation.js'
import { SomeLimits } from './limits.js'
import { closed, environment } from './schema.js'

export const Publish = (description: string) =>
  Type.Array(
    Type.Object(
      {
        container_port: Type.Integer({ minimum: 1, maximum: 65535 }),
        host_port: Type.Integer({ minimum: 0, maximum: 65535, description: '0 for any free port' }),
      },
      closed,
    ),
    { description },
  )

/**
 * POST /v1/runs. The response is a stream of newline-delimited `RunEvent`s. The container is stopped when the client
 * disconnects, or on request; after a request the client still receives the last output.
 */
export const RunDraft = Type.Object(
  {
    package: Type.String({ description: 'ref of a ready package' }),
    command: Type.Optional(Type.String({ description: 'replaces START_COMMAND' })),
    input: Type.Optional(
      Type.Boolean({
        description: 'the program reads what POST /v1/runs/{uuid}/input sends; otherwise it has no input',
      }),
    ),
    user: Type.Optional(Type.String({ description: 'user in /etc/passwd of the package; default: runner' })),
    environment: Type.Optional(environment('added to that of the package; these values win')),
    publish: Type.Optional(Publish('a single container port is PORT, unless the environment sets it')),
    allow_egress: Type.Optional(Type.Boolean()),
    limits: Type.Optional(SomeLimits),
  },
  { ...closed, title: 'RunDraft' },
)
export type RunDraft = Static<typeof RunDraft>

export const RunEvent = Type.Union(
  [
    Type.Object(
      {
        event: Type.Literal('started'),
        run: Type.String({ format: 'uuid', description: 'for POST /v1/runs/{uuid}/stop' }),
        node: Type.Optional(Type.String({ description: 'UUID of the node that runs it: the `node` of such requests' })),
        ports: Type.Array(Type.Integer(), { description: 'host ports, in the order of `publish`' }),
      },
      closed,
    ),
    Type.Object(
      {
        event: Type.Literal('output'),
        stream: Type.Union([Type.Literal('stdout'), Type.Literal('stderr')]),
        data: Type.String({ description: 'base64' }),
      },
      closed,
    ),
    Type.Object(
      {
        event: Type.Literal('ended'),
        exit_code: Type.Optional(Type.Integer()),
        reason: Type.String(),
        hint: Type.Optional(Type.String({ description: 'what to do next, if the output shows a known reason' })),
      },
      closed,
    ),
  ],
  { title: 'RunEvent' },
)
export type RunEvent = Static<typeof RunEvent>

/** The values of `reason` for a program that did not exit on its own. Others are followed by a colon and a text. */
export type RunEnding = Exclude<Ending['kind'], 'exited' | 'engine-lost' | 'limits-unknown' | 'not-runnable'>
