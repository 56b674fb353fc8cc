import { createParser, type EventSourceMessage } from 'eventsource-parser'
import pRetry from 'p-retry'
import type { LogLine, Staging } from '../../daemon/documents/staging.js'
import { ApiProblem } from '../api/api-problem.js'
import { transportError, DaemonUnreachable } from '../api/daemon-unreachable.js'
import type { Answer, ControlApi } from '../api/control-api.js'
import { stagingPath } from '../api/paths.js'

export interface FollowLog {
  readonly staging: string
  /** Sequence number of the last line that is known already; 0 for none. */
  readonly since: number
  /** Whether to wait for lines that are yet to come. */
  readonly follow: boolean
  readonly signal: AbortSignal
  readonly onLine: (line: LogLine) => Promise<void>
  /** The daemon is gone; it is looked for again. */
  readonly onLost?: () => Promise<void>
  /** The daemon has answered just now: should it be gone already, it is looked for as well. */
  readonly answered?: boolean
  /** First wait before looking again, in milliseconds. */
  readonly patience?: number
}

/** How often to look for a daemon that went away: with waits that double up to five seconds, two minutes and more. */
const ATTEMPTS = 30

/**
 * Reads the log of a staging, each line once and in order, through restarts of the daemon. Returns the staging as it
 * ended; undefined when it has not, and only what there is was asked for.
 *
 * Throws `ApiProblem`, `DaemonUnreachable` once the daemon stays away, and the signal's reason.
 */
export async function followLog(api: ControlApi, request: FollowLog & { readonly follow: true }): Promise<Staging>
export async function followLog(api: ControlApi, request: FollowLog): Promise<Staging | undefined>
export async function followLog(api: ControlApi, request: FollowLog): Promise<Staging | undefined> {
  let last = request.since
  let connectedOnce = request.answered === true
  let progressed = false
  let lost = false

  return await pRetry(
    async () => {
      progressed = false
      const answer = await connect(api, request, last)
      connectedOnce = true
      for await (const event of eventsOf(answer, request, api.socketPath)) {
        if (event.event === 'end') return JSON.parse(event.data) as Staging
        if (event.event !== 'line') continue
        const line = JSON.parse(event.data) as LogLine
        // After a reconnection the daemon may begin a little earlier than where we were.
        if (line.seq <= last) continue
        await request.onLine(line)
        last = line.seq
        progressed = true
        lost = false
      }
      if (!request.follow) return undefined
      throw new DaemonUnreachable(
        'connection-lost',
        `stagerd went away while staging ${request.staging} was followed: its log goes on with \`stagectl staging logs ${request.staging} --follow --since ${last}\`.`,
      )
    },
    {
      retries: ATTEMPTS,
      minTimeout: request.patience ?? 200,
      maxTimeout: 5_000,
      factor: 2,
      signal: request.signal,
      // Without a daemon at the very start there is nothing to come back to.
      shouldRetry: ({ error }) => connectedOnce && isPassing(error),
      shouldConsumeRetry: () => !progressed,
      onFailedAttempt: async ({ error }) => {
        if (lost || !connectedOnce || !isPassing(error)) return
        lost = true
        await request.onLost?.()
      },
    },
  )
}

/** A daemon that is stopping or starting says 503. */
function isPassing(error: unknown): boolean {
  return error instanceof DaemonUnreachable || (error instanceof ApiProblem && error.status === 503)
}

function connect(api: ControlApi, { staging, follow, signal }: FollowLog, last: number): Promise<Answer> {
  return api.stream(`${stagingPath(staging)}/log`, {
    headers: { accept: 'text/event-stream', ...(last > 0 ? { 'last-event-id': String(last) } : {}) },
    query: { since: last > 0 ? last : undefined, follow: follow ? undefined : false },
    signal,
  })
}

async function* eventsOf(
  { body }: Answer,
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
