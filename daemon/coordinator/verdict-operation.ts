import type { Verdict } from '../model/staging.js'
import type { HttpSession } from './http-session.js'
import type { StagerRequest } from './stager-request.js'

/** `POST /done`, `POST /failed` and `POST /relaunch` */
export function recordVerdict(verdict: Verdict) {
  return async (request: StagerRequest, session: HttpSession): Promise<void> => {
    // The body should be empty. If a length is announced, all of it must arrive: half a request is no verdict.
    await request.readBody()
    await session.recordVerdict(request, verdict)
    request.succeed()
  }
}
