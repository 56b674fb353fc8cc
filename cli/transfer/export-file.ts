import type { Query } from '../api/control-api.js'
import type { Session } from '../session/session.js'
import { receiveFile, receiveToOutput } from './receive-file.js'
import { writeData, type Data } from './write-data.js'

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
  const exported = {
    path: '/v1/exchange',
    query: { ...query, with_dependencies: options.withDependencies },
    label: 'Exporting',
  }
  const data: Data = {
    toOutput: () => receiveToOutput(session, exported),
    toFile: async (file) => ({ length: await receiveFile(session, exported, file) }),
  }
  return await writeData(session, options.file ?? `${name}.cntmp`, () => Promise.resolve(data))
}
