import { readdir } from 'node:fs/promises'
import { errnoOf } from './errors.js'

/** The names in `directory`; none if it does not exist. */
export async function readDirectoryIfExists(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}
