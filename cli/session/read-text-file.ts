import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileError } from '../../base/file-error.js'
import type { Session } from './session.js'

/**
 * Reads a file that the user names. Throws `BadInput` or `NotFound` when it cannot be read.
 *
 * @param remedy what would be right: `give the path of a build script`
 */
export async function readTextFile({ io }: Session, file: string, remedy: string): Promise<string> {
  try {
    return await readFile(path.resolve(io.cwd, file), 'utf8')
  } catch (error) {
    throw fileError(error, { file, remedy })
  }
}
