import { linesOf } from '../../base/lines-of.js'
import type { ImageEvent, ImagePackageDraft, MadeEvent } from '../../daemon/documents/image.js'
import { parseProblem } from '../api/api-problem.js'
import { DaemonUnreachable, transportError } from '../api/daemon-unreachable.js'
import { Progress } from '../display/progress.js'
import type { Session } from '../session/session.js'

const LABELS = { pulling: 'Pulling the image', storing: 'Storing the image' } as const

/**
 * Has the daemon make a package of a Docker image, which it pulls if the Engine lacks it. An interrupt ends the pull.
 *
 * Throws `ApiProblem`, `DaemonUnreachable`.
 */
export async function makeImagePackage(session: Session, draft: ImagePackageDraft): Promise<MadeEvent> {
  const { api, output, signal } = session
  let phase: keyof typeof LABELS = 'pulling'
  let progress = new Progress(output, LABELS[phase], 0)
  let told = 0
  try {
    const headers = { accept: 'application/x-ndjson' }
    const { body } = await api.stream('/v1/images/packages', { headers, signal }, draft)
    await output.note(`Importing the image ${draft.image}`)
    for await (const line of linesOf(body)) {
      const event = JSON.parse(line) as ImageEvent
      switch (event.event) {
        case 'progress':
          if (event.phase !== phase) {
            progress.stop()
            phase = event.phase
            told = 0
            progress = new Progress(output, LABELS[phase], 0)
          }
          progress.add(event.bytes - told)
          told = event.bytes
          break
        case 'made':
          return event
        case 'failed':
          throw parseProblem(event.problem.status, JSON.stringify(event.problem))
      }
    }
  } catch (error) {
    signal.throwIfAborted()
    throw transportError(error, api.endpoint)
  } finally {
    progress.stop()
  }
  throw new DaemonUnreachable(
    'connection-lost',
    'The connection to stagerd was lost, which ends the import of the image: check the daemon with `stagectl node status`.',
  )
}
