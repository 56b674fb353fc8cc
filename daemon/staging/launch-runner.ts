import type { LaunchOutcome } from './launch-outcome.js'
import { Launch } from './launch.js'
import type { LaunchParts, LaunchRequest } from './launch-parts.js'

/** Creates and runs the launches of all stagings. */
export class LaunchRunner {
  constructor(private readonly parts: LaunchParts) {}

  /** Throws `Fault` (`secrets-lost`). */
  async run(request: LaunchRequest): Promise<LaunchOutcome> {
    const secrets = await this.parts.secrets.ofLaunch(request.staging)
    return await new Launch(this.parts, request, secrets).run()
  }
}
