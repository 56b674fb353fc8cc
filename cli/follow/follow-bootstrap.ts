import type { Bootstrap } from '../../daemon/documents/bootstrap.js'
import type { Session } from '../session/session.js'
import { followEvents } from './follow-events.js'

/** Prints the log of a bootstrap until it has ended. The first Ctrl-C leaves it: stagerd goes on. */
export async function followBootstrap(session: Session, { uuid }: Bootstrap): Promise<Bootstrap> {
  const { api, output } = session
  output.tolerateLoss()
  try {
    const ended = await followEvents<Bootstrap>(api, {
      path: `/v1/bootstraps/${uuid}/log`,
      whenLost: () => `bootstrap ${uuid}: continue with \`stagectl bootstrap\``,
      since: 0,
      follow: true,
      daemonReached: true,
      signal: session.signal,
      onLine: ({ text }) => output.untrustedLine(`[bootstrap] ${text}`),
      onDisconnected: () =>
        output.warning('The connection to stagerd is lost; reconnecting (the bootstrap resumes when it restarts)...'),
    })
    return ended ?? (await api.get<Bootstrap>(`/v1/bootstraps/${uuid}`, { signal: session.signal }))
  } catch (error) {
    if (session.signal.aborted)
      await output.warning(
        `Bootstrap ${uuid} goes on: follow it again with \`stagectl bootstrap\`, or cancel it with \`stagectl bootstrap --cancel\`.`,
      )
    throw error
  }
}
