import { linesOf } from '../../base/lines-of.js'
import type { RunEvent } from '../../daemon/documents/run.js'
import type { ApiResponse } from '../api/control-api.js'
import { DaemonUnreachable, transportError } from '../api/daemon-unreachable.js'
import type { Session } from '../session/session.js'

/**
 * Reads the events of a run up to `ended`. Throws `DaemonUnreachable` when the stream ends before it: the daemon stops
 * the container when the connection breaks.
 */
export async function* readRunEvents({ body }: ApiResponse, session: Session): AsyncGenerator<RunEvent> {
  try {
    for await (const line of linesOf(body)) {
      if (line === '') continue
      const event = JSON.parse(line) as RunEvent
      yield event
      if (event.event === 'ended') return
    }
  } catch (error) {
    session.signal.throwIfAborted()
    throw transportError(error, session.api.endpoint)
  }
  throw new DaemonUnreachable(
    'connection-lost',
    'The connection to stagerd was lost, which stops the package: check the daemon with `stagectl node status`.',
  )
}
