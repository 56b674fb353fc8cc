import { randomUUID } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { readDirectoryIfExists } from '../../base/read-directory.js'
import { removeScrap } from '../../base/remove-scrap.js'

/** What the names of copies end with. */
const COPY = '.new'

/** A file beside `file` that nobody else has. The caller closes it, and removes or renames it. */
export async function newCopy(file: string): Promise<{ readonly path: string; readonly file: FileHandle }> {
  const path = `${file}.${randomUUID()}${COPY}`
  return { path, file: await open(path, 'wx+', 0o600) }
}

/** Copies that a crash has left. Nobody may be making others. */
export async function removeLeftCopies(directory: string): Promise<void> {
  for (const name of await readDirectoryIfExists(directory))
    if (name.endsWith(COPY)) await removeScrap(path.join(directory, name))
}
