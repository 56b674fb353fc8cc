import type { RunEvent } from '../../daemon/documents/run.js'
import type { ApiResponse } from '../api/control-api.js'
import type { Session } from '../session/session.js'
import { readEventLines } from './read-event-lines.js'

/** Reads the events of a run up to `ended`. Throws `DaemonUnreachable`: the daemon stops the container when the connection breaks. */
export function readRunEvents(response: ApiResponse, session: Session): AsyncGenerator<RunEvent> {
  return readEventLines(
    response,
    session,
    'The connection to stagerd was lost, which stops the package: check the daemon with `stagectl node status`.',
  )
}
