import { formatBytes } from '../display/progress.js'
import { UsageError } from '../options/usage-error.js'
import { EXIT } from '../session/exit-codes.js'
import type { Session } from '../session/session.js'

/** Data that the daemon sends. */
export interface Data {
  /** The package that it is of; undefined for several ones. */
  readonly package?: string
  readonly toOutput: () => Promise<unknown>
  /** Returns what a report says of the file besides its path. */
  readonly toFile: (file: string) => Promise<{ readonly length: number }>
}

/**
 * Writes to a file, and says so; or to standard output for `-`. Throws `UsageError` if that has to carry a document, too.
 *
 * @param find is called when the arguments are right
 */
export async function writeData(session: Session, file: string, find: () => Promise<Data>): Promise<number> {
  const { output } = session
  if (file === '-' && output.json)
    throw new UsageError('--json and the data cannot both go to standard output: give a file with -f.')
  const { package: fqn, toOutput, toFile } = await find()
  if (file === '-') {
    await toOutput()
    return EXIT.success
  }
  const { length, ...more } = await toFile(file)
  const report = { ...(fqn === undefined ? {} : { package: fqn }), file, length, ...more }
  await output.result(report, () => `Wrote ${formatBytes(length)}${fqn === undefined ? '' : ` of ${fqn}`} to ${file}.`)
  return EXIT.success
}
