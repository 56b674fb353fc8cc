import { messageOf } from '../../base/errors.js'
import type { LogLine, Staging } from '../../daemon/documents/staging.js'
import { stagingPath } from '../api/paths.js'
import type { Output } from '../display/output.js'
import { elapsed } from '../display/time.js'
import type { Session } from '../session/session.js'
import { followLog } from './follow-log.js'
import { StagerTimes } from './stager-times.js'

/** A line of the log as users know it. */
export function displayLine({ text }: LogLine): string {
  return `[staging] ${text}`
}

/**
 * Shows the log of a staging until it has ended, with the time of each launch, and sums it up. The first Ctrl-C asks the daemon to cancel the
 * staging, and goes on until that is done; the second leaves at once.
 */
export async function followStaging(session: Session, staging: string): Promise<Staging> {
  const { output } = session
  const times = new StagerTimes()
  let asking: Promise<void> | undefined
  const stopListening = session.interrupts.softly(() => {
    asking = askToCancel(session, staging)
  })
  try {
    const ended = await followLog(session.api, {
      staging,
      since: 0,
      follow: true,
      answered: true,
      signal: session.signal,
      onLine: async (line) => {
        await noteIfAny(output, times.line(line))
        await output.foreignLine(displayLine(line))
      },
      onLost: () => output.warning('stagerd is gone; waiting for it to come back (the staging resumes with it)…'),
    })
    await noteIfAny(output, times.end(ended))
    await sumUp(session, ended)
    return ended
  } finally {
    stopListening()
    await asking
  }
}

async function noteIfAny(output: Output, text: string | undefined): Promise<void> {
  if (text !== undefined) await output.note(text)
}

async function askToCancel({ api, output, signal }: Session, staging: string): Promise<void> {
  await output.warning(`Cancelling staging ${staging}… (Ctrl-C again leaves at once)`)
  try {
    await api.post(`${stagingPath(staging)}/cancel`, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) await output.warning(`It could not be cancelled: ${messageOf(error)}`)
  }
}

/** The log has told the cause and the hint of a failure already. */
async function sumUp({ output }: Session, staging: Staging): Promise<void> {
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
