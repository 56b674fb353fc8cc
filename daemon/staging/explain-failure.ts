import type { LogWriter } from '../log/log-writer.js'
import type { Failure } from '../model/staging.js'

/** Ends the log of a failed staging with the stager, the cause, the last lines and what to do next. */
export async function explainFailure(
  failure: Failure,
  lastLines: readonly string[],
  log: Pick<LogWriter, 'message'>,
): Promise<void> {
  await log.message(...explanationOf(failure, lastLines))
}

/** The lines of `explainFailure`. */
export function explanationOf(failure: Failure, lastLines: readonly string[]): readonly string[] {
  const subject = failure.stager === undefined ? 'Staging failed' : `Staging failed in stager '${failure.stager}'`
  return [
    ...`${subject}: ${failure.message}.`.split('\n'),
    `Cause: ${failure.cause}`,
    ...(lastLines.length > 0 ? ['Last lines of the stager:', ...lastLines.map((line) => `  ${line}`)] : []),
    `What to do: ${failure.hint}`,
  ]
}
