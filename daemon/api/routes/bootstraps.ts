import { Type } from 'typebox'
import { Bootstrap, BootstrapDraft } from '../../documents/bootstrap.js'
import { LogLine } from '../../documents/staging.js'
import type { Bootstraps } from '../../bootstrap/bootstraps.js'
import { ADMINISTRATORS } from '../access.js'
import type { Api } from '../fastify.js'
import { LogQuery, sendLog, type LogReader } from '../log-events.js'
import { renderBootstrap } from '../render-bootstrap.js'
import { streamSignal } from '../stream-signal.js'
import { EVENT_STREAM } from '../server-sent-events.js'
import { NoQuery, REFUSALS, streamed, UuidPath } from './schemas.js'

const tags = ['bootstraps']

const ListQuery = Type.Object(
  { limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })) },
  { additionalProperties: false },
)

export interface BootstrapRoutesParts {
  readonly bootstraps: Pick<Bootstraps, 'start' | 'get' | 'list' | 'cancel'>
  readonly logs: LogReader
  /** Interval of heartbeats while the log does not grow, in milliseconds. */
  readonly heartbeatMs?: number
}

/** Makes the operating system, runtimes, stagers and pipelines that ship with stagerd. */
export function bootstrapRoutes(api: Api, parts: BootstrapRoutesParts, closing: AbortSignal): void {
  const { bootstraps, logs, heartbeatMs } = parts

  api.post(
    '/v1/bootstraps',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'startBootstrap',
        tags,
        description:
          'Make what the pipelines need and the node lacks, in the background. A bootstrap of the same pipelines that runs already is returned.',
        querystring: NoQuery,
        body: BootstrapDraft,
        response: { 202: Bootstrap, ...REFUSALS },
      },
    },
    async ({ body }, reply) => {
      const started = await bootstraps.start(body.pipelines ?? [])
      return reply.code(202).header('location', `/v1/bootstraps/${started.uuid}`).send(renderBootstrap(started))
    },
  )

  api.get(
    '/v1/bootstraps',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'listBootstraps',
        tags,
        description: 'The newest first.',
        querystring: ListQuery,
        response: { 200: Type.Array(Bootstrap), ...REFUSALS },
      },
    },
    async ({ query }) => (await bootstraps.list(query.limit ?? 20)).map(renderBootstrap),
  )

  api.get(
    '/v1/bootstraps/:uuid',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'showBootstrap',
        tags,
        params: UuidPath,
        querystring: NoQuery,
        response: { 200: Bootstrap, ...REFUSALS },
      },
    },
    async ({ params }) => renderBootstrap(await bootstraps.get(params.uuid)),
  )

  api.post(
    '/v1/bootstraps/:uuid/cancel',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'cancelBootstrap',
        tags,
        description: 'What has been made stays; builds that are under way are cancelled.',
        params: UuidPath,
        querystring: NoQuery,
        response: { 202: Bootstrap, ...REFUSALS },
      },
    },
    async ({ params }, reply) => reply.code(202).send(renderBootstrap(await bootstraps.cancel(params.uuid))),
  )

  api.get(
    '/v1/bootstraps/:uuid/log',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'followBootstrapLog',
        tags,
        params: UuidPath,
        querystring: LogQuery,
        response: {
          200: streamed('events `line` with a LogLine, then `end` with the Bootstrap', EVENT_STREAM, LogLine),
          ...REFUSALS,
        },
      },
    },
    async ({ params, query, headers }, reply) => {
      const { uuid } = await bootstraps.get(params.uuid)
      const end = async () => {
        const found = await bootstraps.get(uuid)
        return found.state === 'running' ? undefined : renderBootstrap(found)
      }
      return sendLog(reply, { uuid, logs, end, query, headers, heartbeatMs }, streamSignal(reply, closing))
    },
  )
}
