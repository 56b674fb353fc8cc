import type { FastifyReply } from 'fastify'
import { isTerminal } from '../../model/staging.js'
import type { StagingLedger } from '../../store/staging-ledger.js'
import { LogLine } from '../../documents/staging.js'
import { readsByUuid } from '../access.js'
import type { Api } from '../fastify.js'
import { LogQuery, sendLog, type LogReader, type LogReply, type LogRequest } from '../log-events.js'
import { renderStaging } from '../render-staging.js'
import { streamSignal } from '../stream-signal.js'
import { EVENT_STREAM } from '../server-sent-events.js'
import { REFUSALS, streamed, UuidPath } from './schemas.js'

export interface StagingLogRoutesParts {
  readonly ledger: Pick<StagingLedger, 'get'>
  readonly logs: LogReader
  /** Interval of heartbeats while the log does not grow, in milliseconds. */
  readonly heartbeatMs?: number
}

export function stagingLogRoutes(api: Api, parts: StagingLogRoutesParts, closing: AbortSignal): void {
  const { ledger } = parts

  api.get(
    '/v1/stagings/:uuid/log',
    {
      access: readsByUuid('staging'),
      schema: {
        operationId: 'followStagingLog',
        tags: ['stagings'],
        params: UuidPath,
        querystring: LogQuery,
        response: {
          200: streamed('events `line` with a LogLine, then `end` with the Staging', EVENT_STREAM, LogLine),
          ...REFUSALS,
        },
      },
    },
    async ({ params, query, headers }, reply) => {
      const { uuid } = await ledger.get(params.uuid)
      return sendStagingLog(reply, { uuid, query, headers }, parts, closing)
    },
  )
}

/** `line` with each LogLine, then `end` with the Staging. */
export function sendStagingLog<R extends LogReply>(
  reply: R & Pick<FastifyReply, 'raw' | 'request'>,
  request: Pick<LogRequest, 'uuid' | 'query' | 'headers'>,
  { ledger, logs, heartbeatMs }: StagingLogRoutesParts,
  closing: AbortSignal,
): R {
  const end = async () => {
    const staging = await ledger.get(request.uuid)
    return isTerminal(staging.state) ? renderStaging(staging) : undefined
  }
  return sendLog(reply, { ...request, logs, end, heartbeatMs }, streamSignal(reply, closing))
}
