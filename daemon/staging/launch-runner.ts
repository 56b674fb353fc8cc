import type { LaunchOutcome } from './launch-outcome.js'
import { Launch } from './launch.js'
import type { LaunchParts, LaunchRequest } from './launch-parts.js'

/** Creates and runs the launches of all stagings. */
export class LaunchRunner {
  constructor(private readonly parts: LaunchParts) {}

  run(request: LaunchRequest): Promise<LaunchOutcome> {
    return new Launch(this.parts, request).run()
  }
}
