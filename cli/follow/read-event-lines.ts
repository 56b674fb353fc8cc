import { linesOf } from '../../base/lines-of.js'
import type { ApiResponse } from '../api/control-api.js'
import { DaemonUnreachable, transportError } from '../api/daemon-unreachable.js'
import type { Session } from '../session/session.js'

/**
 * Reads events, one JSON document a line, up to `ended`. Throws `DaemonUnreachable` when the stream ends before it.
 *
 * @param lost what the loss of the connection means, in one sentence
 */
export async function* readEventLines<Event extends { readonly event: string }>(
  { body }: ApiResponse,
  session: Session,
  lost: string,
): AsyncGenerator<Event> {
  try {
    for await (const line of linesOf(body)) {
      if (line === '') continue
      const event = JSON.parse(line) as Event
      yield event
      if (event.event === 'ended') return
    }
  } catch (error) {
    session.signal.throwIfAborted()
    throw transportError(error, session.api.endpoint)
  }
  throw new DaemonUnreachable('connection-lost', lost)
}
