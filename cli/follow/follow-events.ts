import type { Readable } from 'node:stream'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import pRetry from 'p-retry'
import type { LogLine } from '../../daemon/documents/staging.js'
import { ApiProblem } from '../api/api-problem.js'
import { transportError, DaemonUnreachable } from '../api/daemon-unreachable.js'
import type { Endpoint } from '../api/endpoint.js'
import type { ApiResponse, ControlApi } from '../api/control-api.js'

export interface FollowEvents {
  /** Of the log in the API. */
  readonly path: string
  /** Completes the sentence for a connection that is lost for good: what was followed, and how to continue. */
  readonly whenLost: (last: number) => string
  /** Sequence number of the last line to skip; 0 for none. */
  readonly since: number
  /** Whether to wait for new lines until the staging ends. */
  readonly follow: boolean
  readonly signal: AbortSignal
  readonly onLine: (line: LogLine) => Promise<void>
  /** Called once when the connection is lost, before the first attempt to reconnect. */
  readonly onDisconnected?: () => Promise<void>
  /** Set when the daemon has just answered another request: then the first connection is retried, too. */
  readonly daemonReached?: boolean
  /** The first answer, if there is one already: the log from its beginning. */
  readonly opened?: Readable | undefined
  /** Delay before the first attempt to reconnect, in milliseconds. */
  readonly retryDelay?: number
}

export const EVENT_STREAM = 'text/event-stream'

/** Attempts to reconnect. The delay doubles up to five seconds, so they take more than two minutes together. */
const MAX_RETRIES = 30

/**
 * Reads a log of the API, each line once and in order, and reconnects when the daemon restarts. Returns the document of
 * what the log is about when that has ended; undefined when it is still active and `follow` is false.
 *
 * Throws `ApiProblem`, `DaemonUnreachable` when all attempts to reconnect fail, and the signal's reason.
 */
export async function followEvents<Document>(api: ControlApi, request: FollowEvents): Promise<Document | undefined> {
  let last = request.since
  let hasConnected = request.daemonReached === true
  let progressed = false
  let disconnected = false
  let { opened } = request

  const read = async (): Promise<Document | undefined> => {
    progressed = false
    const body = opened ?? (await connect(api, request, last)).body
    opened = undefined
    hasConnected = true
    for await (const event of eventsOf(body, request, api.endpoint)) {
      if (event.event === 'end') return JSON.parse(event.data) as Document
      if (event.event !== 'line') continue
      const line = JSON.parse(event.data) as LogLine
      // After a reconnection the daemon may repeat some lines.
      if (line.seq <= last) continue
      await request.onLine(line)
      last = line.seq
      progressed = true
      disconnected = false
    }
    if (!request.follow) return undefined
    throw new DaemonUnreachable(
      'connection-lost',
      `The connection to stagerd was lost while following ${request.whenLost(last)}.`,
    )
  }
  /** If the first connection fails, no daemon runs, most likely. */
  const mayRetry = (error: unknown) => hasConnected && isTransient(error)
  const tellOnce = async () => {
    if (disconnected) return
    disconnected = true
    await request.onDisconnected?.()
  }

  // Mostly the connection holds, and nothing has to be prepared for the other case.
  try {
    return await read()
  } catch (error) {
    if (!mayRetry(error)) throw error
    await tellOnce()
  }
  return await pRetry(read, {
    retries: MAX_RETRIES,
    minTimeout: request.retryDelay ?? 200,
    maxTimeout: 5_000,
    factor: 2,
    signal: request.signal,
    shouldRetry: ({ error }) => mayRetry(error),
    shouldConsumeRetry: () => !progressed,
    onFailedAttempt: async ({ error }) => {
      if (mayRetry(error)) await tellOnce()
    },
  })
}

/** A daemon that is starting or stopping answers with 503. */
function isTransient(error: unknown): boolean {
  return error instanceof DaemonUnreachable || (error instanceof ApiProblem && error.status === 503)
}

function connect(api: ControlApi, { path, follow, signal }: FollowEvents, last: number): Promise<ApiResponse> {
  return api.stream(path, {
    headers: { accept: EVENT_STREAM, ...(last > 0 ? { 'last-event-id': String(last) } : {}) },
    query: { since: last > 0 ? last : undefined, follow: follow ? undefined : false },
    signal,
  })
}

async function* eventsOf(
  body: Readable,
  { signal }: FollowEvents,
  endpoint: Endpoint,
): AsyncGenerator<EventSourceMessage> {
  const parsed: EventSourceMessage[] = []
  const parser = createParser({ onEvent: (event) => parsed.push(event) })
  const decoder = new TextDecoder()
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      parser.feed(decoder.decode(chunk, { stream: true }))
      yield* parsed.splice(0)
    }
  } catch (error) {
    signal.throwIfAborted()
    throw transportError(error, endpoint)
  }
}
