import { createParser, type EventSourceMessage } from 'eventsource-parser'
import pRetry from 'p-retry'
import type { LogLine, Staging } from '../../daemon/documents/staging.js'
import { ApiProblem } from '../api/api-problem.js'
import { transportError, DaemonUnreachable } from '../api/daemon-unreachable.js'
import type { ApiResponse, ControlApi } from '../api/control-api.js'
import { stagingPath } from '../api/paths.js'

export interface FollowLog {
  readonly staging: string
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
  /** Delay before the first attempt to reconnect, in milliseconds. */
  readonly retryDelay?: number
}

/** Attempts to reconnect. The delay doubles up to five seconds, so they take more than two minutes together. */
const MAX_RETRIES = 30

/**
 * Reads the log of a staging, each line once and in order, and reconnects when the daemon restarts. Returns the staging
 * when it has ended; undefined when it is still active and `follow` is false.
 *
 * Throws `ApiProblem`, `DaemonUnreachable` when all attempts to reconnect fail, and the signal's reason.
 */
export async function followLog(api: ControlApi, request: FollowLog & { readonly follow: true }): Promise<Staging>
export async function followLog(api: ControlApi, request: FollowLog): Promise<Staging | undefined>
export async function followLog(api: ControlApi, request: FollowLog): Promise<Staging | undefined> {
  let last = request.since
  let hasConnected = request.daemonReached === true
  let progressed = false
  let disconnected = false

  return await pRetry(
    async () => {
      progressed = false
      const response = await connect(api, request, last)
      hasConnected = true
      for await (const event of eventsOf(response, request, api.socketPath)) {
        if (event.event === 'end') return JSON.parse(event.data) as Staging
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
        `The connection to stagerd was lost while following staging ${request.staging}: continue with \`stagectl staging logs ${request.staging} --follow --since ${last}\`.`,
      )
    },
    {
      retries: MAX_RETRIES,
      minTimeout: request.retryDelay ?? 200,
      maxTimeout: 5_000,
      factor: 2,
      signal: request.signal,
      // If the first connection fails, fail at once: most likely no daemon runs.
      shouldRetry: ({ error }) => hasConnected && isTransient(error),
      shouldConsumeRetry: () => !progressed,
      onFailedAttempt: async ({ error }) => {
        if (disconnected || !hasConnected || !isTransient(error)) return
        disconnected = true
        await request.onDisconnected?.()
      },
    },
  )
}

/** A daemon that is starting or stopping answers with 503. */
function isTransient(error: unknown): boolean {
  return error instanceof DaemonUnreachable || (error instanceof ApiProblem && error.status === 503)
}

function connect(api: ControlApi, { staging, follow, signal }: FollowLog, last: number): Promise<ApiResponse> {
  return api.stream(`${stagingPath(staging)}/log`, {
    headers: { accept: 'text/event-stream', ...(last > 0 ? { 'last-event-id': String(last) } : {}) },
    query: { since: last > 0 ? last : undefined, follow: follow ? undefined : false },
    signal,
  })
}

async function* eventsOf(
  { body }: ApiResponse,
  { signal }: FollowLog,
  socketPath: string,
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
    throw transportError(error, socketPath)
  }
}
