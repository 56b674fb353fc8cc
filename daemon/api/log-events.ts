import type { IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import { Type, type Static } from 'typebox'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { StoredLine } from '../log/log-file.js'
import { EVENT_STREAM, eventStream, formatEvent } from './server-sent-events.js'

export const LogQuery = Type.Object(
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
   * Lines after `since` in order, without gap or repetition, in pieces. With `follow`, it waits for more, and ends once the work has
   * ended and its last line was read; without, it ends at the current end. When aborted, it ends without an error.
   */
  read(
    uuid: string,
    options: { readonly since: number; readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<readonly StoredLine[]>
}

export interface LogRequest {
  /** Of the work that the log is about. */
  readonly uuid: string
  readonly logs: LogReader
  /** The document of the work if it has ended. */
  readonly end: () => Promise<object | undefined>
  readonly query: Static<typeof LogQuery>
  readonly headers: IncomingHttpHeaders
  readonly heartbeatMs?: number | undefined
}

export interface LogReply {
  header(name: string, value: string): this
  send(body: Readable): this
}

/**
 * Sends a log as server-sent events: `line` for each line, with its sequence number as the id, then `end` with the
 * document of the work once that has ended. A client that reconnects sends Last-Event-ID and resumes after that line.
 */
export function sendLog<R extends LogReply>(reply: R, request: LogRequest, signal: AbortSignal): R {
  const { query, headers, heartbeatMs = HEARTBEAT_MS } = request
  const since = sequenceOf(headers['last-event-id']) ?? query.since ?? 0
  const events = logEvents(request, { since, follow: query.follow ?? true, signal })
  return reply
    .header('content-type', `${EVENT_STREAM}; charset=utf-8`)
    .header('cache-control', 'no-store')
    .send(Readable.from(eventStream(events, heartbeatMs, signal), { objectMode: false }))
}

async function* logEvents(
  { uuid, logs, end }: LogRequest,
  options: { readonly since: number; readonly follow: boolean; readonly signal: AbortSignal },
): AsyncGenerator<string> {
  // One text for each piece: a write to the connection for each line costs a hundred times as much.
  for await (const lines of logs.read(uuid, options))
    yield lines.map(({ seq, json }) => formatEvent({ event: 'line', id: String(seq), data: json })).join('')
  if (options.signal.aborted) return
  const document = await end()
  if (document) yield formatEvent({ event: 'end', data: JSON.stringify(document) })
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
