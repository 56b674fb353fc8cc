import { isTerminal } from '../../model/staging.js'
import type { StagingLedger } from '../../store/staging-ledger.js'
import { LogLine } from '../../documents/staging.js'
import { readsByUuid } from '../access.js'
import type { Api } from '../fastify.js'
import { LogQuery, sendLog, type LogReader } from '../log-events.js'
import { renderStaging } from '../render-staging.js'
import { streamSignal } from '../stream-signal.js'
import { REFUSALS, streamed, UuidPath } from './schemas.js'

export interface StagingLogRoutesParts {
  readonly ledger: Pick<StagingLedger, 'get'>
  readonly logs: LogReader
  /** Interval of heartbeats while the log does not grow, in milliseconds. */
  readonly heartbeatMs?: number
}

export function stagingLogRoutes(api: Api, parts: StagingLogRoutesParts, closing: AbortSignal): void {
  const { ledger, logs, heartbeatMs } = parts

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
          200: streamed('events `line` with a LogLine, then `end` with the Staging', 'text/event-stream', LogLine),
          ...REFUSALS,
        },
      },
    },
    async ({ params, query, headers }, reply) => {
      const { uuid } = await ledger.get(params.uuid)
      const end = async () => {
        const staging = await ledger.get(uuid)
        return isTerminal(staging.state) ? renderStaging(staging) : undefined
      }
      return sendLog(reply, { uuid, logs, end, query, headers, heartbeatMs }, streamSignal(reply, closing))
    },
  )
}
