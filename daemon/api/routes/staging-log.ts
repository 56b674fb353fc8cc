import { Readable } from 'node:stream'
import { Type } from 'typebox'
import { BadInput } from '../../../base/errors.js'
import { quote } from '../../../base/fqn.js'
import { isTerminal } from '../../model/staging.js'
import type { StagingLedger } from '../../store/staging-ledger.js'
import { LogLine } from '../../documents/staging.js'
import type { Api } from '../fastify.js'
import { renderStaging } from '../render-staging.js'
import { eventStream, type ServerSentEvent } from '../server-sent-events.js'
import { streamSignal } from '../stream-signal.js'
import { REFUSALS, streamed, UuidPath } from './schemas.js'

const LogQuery = Type.Object(
  {
    since: Type.Optional(Type.Integer({ minimum: 0, description: 'only lines after this sequence number' })),
    follow: Type.Optional(Type.Boolean({ default: true, description: 'false: end at the current end of the log' })),
  },
  { additionalProperties: false },
)

/** Below the idle timeout of common proxies. */
const HEARTBEAT_MS = 15_000

export interface LogReader {
  /**
   * Lines after `since` in order, without gap or repetition. With `follow`, it waits for more, and ends once the staging
   * has ended and its last line was read; without, it ends at the current end. When aborted, it ends without an error.
   */
  follow(
    staging: string,
    options: { readonly since: number; readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<LogLine>
}

export interface StagingLogRoutesParts {
  readonly ledger: Pick<StagingLedger, 'get'>
  readonly logs: LogReader
  /** Interval of heartbeats while the log does not grow, in milliseconds. */
  readonly heartbeatMs?: number
}

/**
 * The log as server-sent events: `line` for each line, with its sequence number as the id, then `end` with the staging
 * once it has ended. A client that reconnects sends Last-Event-ID and resumes after that line.
 */
export function stagingLogRoutes(api: Api, parts: StagingLogRoutesParts, closing: AbortSignal): void {
  const { ledger, heartbeatMs = HEARTBEAT_MS } = parts

  api.get(
    '/v1/stagings/:uuid/log',
    {
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
      const since = sequenceOf(headers['last-event-id']) ?? query.since ?? 0
      const signal = streamSignal(reply, closing)
      const events = logEvents(parts, uuid, { since, follow: query.follow ?? true, signal })
      return reply
        .header('content-type', 'text/event-stream; charset=utf-8')
        .header('cache-control', 'no-store')
        .send(Readable.from(eventStream(events, heartbeatMs, signal), { objectMode: false }))
    },
  )
}

async function* logEvents(
  { logs, ledger }: StagingLogRoutesParts,
  uuid: string,
  options: { readonly since: number; readonly follow: boolean; readonly signal: AbortSignal },
): AsyncGenerator<ServerSentEvent> {
  for await (const { seq, time, stream, text } of logs.follow(uuid, options))
    yield { event: 'line', id: String(seq), data: JSON.stringify({ seq, time, stream, text }) }
  if (options.signal.aborted) return
  const staging = await ledger.get(uuid)
  if (isTerminal(staging.state)) yield { event: 'end', data: JSON.stringify(renderStaging(staging)) }
}

function sequenceOf(lastEventId: string | string[] | undefined): number | undefined {
  if (lastEventId === undefined || lastEventId === '') return undefined
  if (typeof lastEventId !== 'string' || !/^\d{1,15}$/.test(lastEventId))
    throw new BadInput(
      'bad-document',
      `Last-Event-ID is ${quote(String(lastEventId))}, but must be the number of a line.`,
    )
  return Number(lastEventId)
}
