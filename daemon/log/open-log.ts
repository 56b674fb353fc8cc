import { open, type FileHandle } from 'node:fs/promises'
import { errnoOf } from '../../base/errors.js'
import { findLastLine } from './find-line.js'

/** A log that nobody writes. The caller closes the file. */
export interface OpenLog {
  readonly file: FileHandle
  /** Of its complete lines, in bytes. */
  readonly length: number
}

/** Undefined if there is no such file. */
export async function openLog(path: string): Promise<OpenLog | undefined> {
  try {
    const file = await open(path, 'r')
    try {
      return { file, length: (await findLastLine(file)).end }
    } catch (error) {
      await file.close()
      throw error
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

const CHUNK_BYTES = 256 * 1024

export async function* contentOf({ file, length }: OpenLog): AsyncGenerator<Buffer> {
  for (let at = 0; at < length;) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, length - at))
    const { bytesRead } = await file.read(chunk, 0, chunk.length, at)
    if (bytesRead === 0) throw new Error('a log has become shorter while it was copied')
    yield chunk.subarray(0, bytesRead)
    at += bytesRead
  }
}
