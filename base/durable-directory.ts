import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf } from './errors.js'

/** Until a directory is fsynced, entries that were created, renamed or removed in it may be lost in a power failure. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * `mkdir -p`, for the owner alone by default. Node's own, with `recursive`, says of a full disk that the directory does not exist.
 *
 * @returns those that it has made, the uppermost first
 */
export async function makeDirectory(directory: string, mode = 0o700): Promise<readonly string[]> {
  try {
    await mkdir(directory, { mode })
    return [directory]
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return []
    if (errnoOf(error) !== 'ENOENT' || dirname(directory) === directory) throw error
  }
  const above = await makeDirectory(dirname(directory), mode)
  return [...above, ...(await makeDirectory(directory, mode))]
}

/** The same; the directories that it makes survive a power failure. */
export async function makeDurableDirectory(directory: string): Promise<void> {
  for (const made of await makeDirectory(directory)) await syncDirectory(dirname(made))
}

/**
 * Makes a file that is whole and durable when it has its name, or replaces one.
 *
 * @param mode its permissions
 */
export async function writeDurably(file: string, content: string | Uint8Array, mode: number): Promise<void> {
  const fresh = `${file}.new`
  await rm(fresh, { force: true })
  const handle = await open(fresh, 'wx', mode)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(fresh, file)
  await syncDirectory(dirname(file))
}
