import { randomUUID } from 'node:crypto'
import path from 'node:path'
import type { Query } from '../api/control-api.js'
import { formatBytes } from '../display/progress.js'
import { EXIT } from '../session/exit-codes.js'
import { UsageError } from '../options/usage-error.js'
import type { Session } from '../session/session.js'
import { PartFile } from './part-file.js'
import { receiveBody } from './receive-body.js'

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
  const exportQuery = { ...query, with_dependencies: options.withDependencies }
  if (file === '-') {
    if (output.json) throw new UsageError('--json and the data cannot both go to standard output: give a file with -f.')
    await receive(session, exportQuery, (chunk) => output.bytes(chunk, 'stdout'))
    return EXIT.success
  }
  const part = await PartFile.open(path.resolve(session.io.cwd, file), randomUUID())
  try {
    const length = await receive(session, exportQuery, (chunk) => part.append(chunk))
    await part.publish()
    await output.result({ file, length }, () => `Wrote ${formatBytes(length)} to ${file}.`)
    return EXIT.success
  } catch (error) {
    await part.discard(false)
    throw error
  }
}

async function receive(session: Session, query: Query, write: (chunk: Uint8Array) => Promise<void>): Promise<number> {
  const response = await session.api.stream('/v1/exchange', {
    query,
    signal: session.signal,
    headers: { accept: '*/*' },
  })
  return await receiveBody(session, response, { label: 'Exporting', write })
}
