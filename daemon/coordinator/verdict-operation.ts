import type { Verdict } from '../model/staging.js'
import type { HttpSession } from './http-session.js'
import { singleParameter } from './stager-address.js'
import { StagerRefusal } from './stager-answer.js'
import type { StagerRequest } from './stager-request.js'

/** The answer to a relaunch that is not needed. Clients compare the answer to a verdict with `OK`. */
const NOT_NEEDED = 'NOT NEEDED'

/**
 * `POST /done`, `POST /failed` and `POST /relaunch`. The query parameters are extensions of the Stager API: with
 * `reproducible=no`, the result is never reused; with `if=needed`, a relaunch that would give the stager nothing else is no
 * verdict, and the stager goes on.
 */
export function recordVerdict(verdict: Verdict) {
  return async (request: StagerRequest, session: HttpSession): Promise<void> => {
    // The body should be empty. If a length is announced, all of it must arrive: half a request is no verdict.
    await request.readBody()
    const { query } = request.address
    const reproducible = singleParameter(query, 'reproducible') !== 'no'
    const onlyIfNeeded = isOnlyIfNeeded(verdict, singleParameter(query, 'if'))
    const recorded = await session.recordVerdict(request, verdict, { reproducible, onlyIfNeeded })
    request.succeed(recorded ? undefined : NOT_NEEDED)
  }
}

/** A condition that is not understood must not be taken for none. Throws `StagerRefusal`. */
function isOnlyIfNeeded(verdict: Verdict, condition: string | undefined): boolean {
  if (condition === undefined) return false
  if (verdict === 'relaunch' && condition === 'needed') return true
  throw new StagerRefusal(499, 'The only condition of a verdict is relaunch?if=needed: leave out any other.')
}
