import type { Query } from '../api/control-api.js'
import { formatBytes } from '../display/progress.js'
import { EXIT } from '../session/exit-codes.js'
import { UsageError } from '../options/usage-error.js'
import type { Session } from '../session/session.js'
import { receiveFile, receiveToOutput } from './receive-file.js'

export interface ExportOptions {
  readonly file?: string
  readonly withDependencies?: boolean
}

/**
 * Exports to a file, which appears only when it is complete; `-` is standard output.
 *
 * @param name default name of the file, without its extension
 */
export async function exportFile(
  session: Session,
  query: Query,
  name: string,
  options: ExportOptions,
): Promise<number> {
  const { output } = session
  const file = options.file ?? `${name}.cntmp`
  const exported = {
    path: '/v1/exchange',
    query: { ...query, with_dependencies: options.withDependencies },
    label: 'Exporting',
  }
  if (file === '-') {
    if (output.json) throw new UsageError('--json and the data cannot both go to standard output: give a file with -f.')
    await receiveToOutput(session, exported)
    return EXIT.success
  }
  const length = await receiveFile(session, exported, file)
  await output.result({ file, length }, () => `Wrote ${formatBytes(length)} to ${file}.`)
  return EXIT.success
}
