import type { Verdict } from '../model/staging.js'
import type { HttpSession } from './http-session.js'
import { singleParameter } from './stager-address.js'
import type { StagerRequest } from './stager-request.js'

/**
 * `POST /done`, `POST /failed` and `POST /relaunch`. The query parameter `reproducible` is an extension of the Stager API:
 * with `no`, the result is never reused.
 */
export function recordVerdict(verdict: Verdict) {
  return async (request: StagerRequest, session: HttpSession): Promise<void> => {
    // The body should be empty. If a length is announced, all of it must arrive: half a request is no verdict.
    await request.readBody()
    const reproducible = singleParameter(request.address.query, 'reproducible') !== 'no'
    await session.recordVerdict(request, verdict, reproducible)
    request.succeed()
  }
}
