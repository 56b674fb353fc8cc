import type { Staging } from '../model/staging.js'
import type { LaunchOutcome } from './launch-outcome.js'
import { Launch } from './launch.js'
import type { LaunchParts } from './launch-parts.js'
import type { LogWriter } from '../log/log-writer.js'

/** Creates and runs the launches of all stagings. */
export class LaunchRunner {
  constructor(private readonly parts: LaunchParts) {}

  /** @param stop ends the launch without a verdict, because of a cancellation or the end of the daemon */
  run(staging: Staging, log: LogWriter, stop: AbortSignal): Promise<LaunchOutcome> {
    return new Launch(this.parts, { staging, log, stop }).run()
  }
}
