import { randomUUID } from 'node:crypto'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileError } from '../../base/file-error.js'

/**
 * Writes a file of stagectl atomically. Throws `BadInput`.
 *
 * @param remedy what would be right if it cannot be written
 */
export async function replaceFile(
  file: string,
  text: string,
  { mode, remedy }: { readonly mode: number; readonly remedy: string },
): Promise<void> {
  const temporary = `${file}.${randomUUID()}`
  try {
    await mkdir(path.dirname(file), { recursive: true })
    try {
      await writeFile(temporary, text, { flag: 'wx', mode })
      await rename(temporary, file)
    } finally {
      await rm(temporary, { force: true })
    }
  } catch (error) {
    throw fileError(error, { file, remedy })
  }
}
