import { orAborted } from '../../base/or-aborted.js'
import type { LaunchOutcome } from './launch-outcome.js'
import { Launch } from './launch.js'
import type { LaunchParts, LaunchRequest } from './launch-parts.js'

/** Creates and runs the launches of all stagings. */
export class LaunchRunner {
  constructor(private readonly parts: Omit<LaunchParts, 'ledger'>) {}

  /** Waits only while too many launches are being removed. Throws `Fault` (`secrets-lost`). */
  async run(request: LaunchRequest): Promise<LaunchOutcome> {
    const { releases, secrets } = this.parts
    await orAborted(releases.room(), request.stop).catch(() => undefined)
    if (request.stop.aborted) {
      await request.before?.over
      return { kind: 'stopped', released: Promise.resolve() }
    }
    const given = await secrets.ofLaunch(request.staging)
    const outcome = await new Launch({ ...this.parts, ledger: request.ledger }, request, given).run()
    releases.add(outcome.released)
    return outcome
  }
}
