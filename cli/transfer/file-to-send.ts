import { open, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { BadInput, errnoOf, NotFound } from '../../base/errors.js'
import { fileError } from '../../base/file-error.js'
import { quote } from '../../base/fqn.js'
import type { RawBody } from '../api/control-api.js'
import { Progress } from '../display/progress.js'
import { readHandle } from '../pack/read-handle.js'
import type { Session } from '../session/session.js'
import { trackProgress } from './upload.js'

/**
 * Opens a file, has `send` send it, and shows the progress.
 *
 * Throws `NotFound` (`no-such-file`), `BadInput` (`not-a-file`, `file-forbidden`…), and what `send` throws.
 *
 * @param from what writes such files, for messages
 */
export async function sendFile<T>(
  { io, output }: Session,
  { file, from, label }: { readonly file: string; readonly from: string; readonly label: string },
  send: (body: RawBody) => Promise<T>,
): Promise<T> {
  const handle = await openFile(path.resolve(io.cwd, file), file, from)
  try {
    const { size } = await handle.stat()
    const progress = new Progress(output, `${label} ${path.basename(file)}`, size)
    try {
      return await send({ length: size, chunks: trackProgress(readHandle(handle), progress) })
    } finally {
      progress.stop()
    }
  } finally {
    await handle.close()
  }
}

async function openFile(target: string, file: string, from: string): Promise<FileHandle> {
  const handle = await open(target, 'r').catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw fileError(error, { file })
    throw new NotFound('no-such-file', `There is no file ${quote(file)}: give a file that \`${from}\` wrote.`)
  })
  if ((await handle.stat()).isFile()) return handle
  await handle.close()
  throw new BadInput('not-a-file', `${quote(file)} is not a file: give one that \`${from}\` wrote.`)
}
