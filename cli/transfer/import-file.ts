import { open } from 'node:fs/promises'
import path from 'node:path'
import { BadInput, errnoOf, NotFound } from '../../base/errors.js'
import { fileError } from '../../base/file-error.js'
import { quote } from '../../base/fqn.js'
import type { ImportReport } from '../../daemon/documents/exchange.js'
import type { Query } from '../api/control-api.js'
import { Progress } from '../display/progress.js'
import { readHandle } from '../pack/read-handle.js'
import type { Session } from '../session/session.js'
import { trackProgress } from './upload.js'

/** Imports an exchange file, and shows the progress. */
export async function importFile(session: Session, file: string, query: Query): Promise<ImportReport> {
  const { api, io, output, signal } = session
  const handle = await open(path.resolve(io.cwd, file), 'r').catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw fileError(error, { file })
    throw new NotFound(
      'no-such-file',
      `There is no file ${quote(file)}: give a file that \`stagectl package export\` wrote.`,
    )
  })
  try {
    const stats = await handle.stat()
    if (!stats.isFile())
      throw new BadInput('not-a-file', `${quote(file)} is not a file: give one that \`stagectl package export\` wrote.`)
    const progress = new Progress(output, `Importing ${path.basename(file)}`, stats.size)
    try {
      const body = { length: stats.size, chunks: trackProgress(readHandle(handle), progress) }
      return await api.upload<ImportReport>('/v1/exchange', body, { query, signal })
    } finally {
      progress.stop()
    }
  } finally {
    await handle.close()
  }
}
