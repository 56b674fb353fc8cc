import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { messageOf } from '../../base/errors.js'
import type { LogLine, Staging, StagingDraft } from '../../daemon/documents/staging.js'
import type { Query } from '../api/control-api.js'
import { stagingPath } from '../api/paths.js'
import type { Output } from '../display/output.js'
import { elapsed } from '../display/time.js'
import type { Session } from '../session/session.js'
import { EVENT_STREAM } from './follow-events.js'
import { followLog } from './follow-log.js'
import { StagerTimes } from './stager-times.js'

/** The format in which users see a line of the log. */
export function displayLine({ text }: LogLine): string {
  return `[staging] ${text}`
}

/** A request that submits a staging. */
interface Submission {
  readonly path: string
  readonly query?: Query
  readonly document?: StagingDraft
  /** Whether its log is wanted with the answer. Then a staging that is answered at once takes no further request. */
  readonly withLog: boolean
}

export interface SubmittedStaging {
  readonly uuid: string
  /** Undefined where its log has come instead. */
  readonly document: Staging | undefined
  /** The beginning of its log, if it has come with the answer: `followStaging` reads it. */
  readonly log: Readable | undefined
}

/** Throws `ApiProblem` for a staging that is refused. */
export async function submitStaging(session: Session, submission: Submission): Promise<SubmittedStaging> {
  const { path, query, document, withLog } = submission
  const options = { method: 'POST', signal: session.signal, ...(query ? { query } : {}) } as const
  const accept = withLog ? { headers: { accept: EVENT_STREAM } } : {}
  const { headers, body } = await session.api.stream(path, { ...options, ...accept }, document)
  if (headers['content-type']?.startsWith(EVENT_STREAM) === true)
    return { uuid: headers.location?.split('/').at(-1) ?? '', document: undefined, log: body }
  // A daemon of an earlier version never sends a log.
  const submitted = JSON.parse(await text(body)) as Staging
  return { uuid: submitted.uuid, document: submitted, log: undefined }
}

/** Submits a staging, and follows it. */
export async function stageAndFollow(session: Session, submission: Omit<Submission, 'withLog'>): Promise<Staging> {
  return await followStaging(session, await submitStaging(session, { ...submission, withLog: true }))
}

/**
 * Prints the log of a staging until it has ended, with the duration of each launch, and a summary. The first Ctrl-C asks
 * the daemon to cancel the staging and waits for its end; the second aborts. Without a reader, it follows the staging to
 * its end as well, because its outcome is the exit code of the command.
 */
export async function followStaging(
  session: Session,
  { uuid: staging, log }: Pick<SubmittedStaging, 'uuid' | 'log'>,
): Promise<Staging> {
  const { output } = session
  const times = new StagerTimes()
  output.tolerateLoss()
  let cancelling: Promise<void> | undefined
  const unsubscribe = session.interrupts.onFirstInterrupt(() => {
    cancelling = requestCancel(session, staging)
  })
  try {
    const ended = await followLog(session.api, {
      staging,
      since: 0,
      follow: true,
      daemonReached: true,
      opened: log,
      signal: session.signal,
      onLine: async (line) => {
        await noteIfDefined(output, times.onLine(line))
        await output.untrustedLine(displayLine(line))
        await noteIfDefined(output, lossOf(output, staging))
      },
      onDisconnected: () =>
        output.warning(
          'The connection to stagerd is lost; reconnecting (the staging resumes when stagerd restarts)...',
        ),
    })
    await noteIfDefined(output, times.onEnd(ended))
    await printSummary(session, ended)
    return ended
  } finally {
    unsubscribe()
    await cancelling
  }
}

async function noteIfDefined(output: Output, text: string | undefined): Promise<void> {
  if (text !== undefined) await output.note(text)
}

function lossOf(output: Output, staging: string): string | undefined {
  const loss = output.takeLoss()
  return loss && `${loss.message} The staging goes on; its log: \`stagectl staging logs ${staging}\`.`
}

async function requestCancel({ api, output, signal }: Session, staging: string): Promise<void> {
  await output.warning(`Cancelling staging ${staging}... (press Ctrl-C again to leave at once)`)
  try {
    await api.post(`${stagingPath(staging)}/cancel`, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) await output.warning(`The staging could not be cancelled: ${messageOf(error)}`)
  }
}

/** The log already contains the cause and the hint of a failure. */
async function printSummary({ output }: Session, staging: Staging): Promise<void> {
  const from = Date.parse(staging.submitted_at)
  const took = elapsed(Date.parse(staging.ended_at ?? staging.submitted_at) - from)
  switch (staging.state) {
    case 'succeeded':
      await output.success(`${staging.package} is ready, after ${took}.`)
      break
    case 'cancelled':
      await output.warning(`The staging of ${staging.package} was cancelled, after ${took}.`)
      break
    default:
      staging.state satisfies 'queued' | 'running' | 'failed'
      await output.warning(
        `The staging of ${staging.package} failed (${staging.failure?.cause ?? 'infrastructure'}), after ${took}: staging ${staging.uuid}.`,
      )
  }
}
