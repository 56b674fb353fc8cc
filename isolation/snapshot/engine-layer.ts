import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../base/errors.js'
import { ENGINE_MARKER, INJECTED_DIRECTORIES, INJECTED_FILES } from '../injected-files.js'

/**
 * Whether a layer is the one in which the Engine keeps its injected files. Its content tells: only overlay2 gives it a
 * name (`ID-init`), and the directories of containerd are numbered. Every Engine makes `.dockerenv` in it, and adds
 * nothing but the names of isolation/injected-files.ts.
 *
 * Ask it of the topmost layer only: a layer below that one is of a package.
 */
export async function isEngineLayer(directory: string): Promise<boolean> {
  const isEmptyFile = await lstat(join(directory, ENGINE_MARKER)).then(
    (stats) => stats.isFile() && stats.size === 0,
    (error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return false
      throw error
    },
  )
  return isEmptyFile && (await holdsOnlyInjected(directory, ''))
}

async function holdsOnlyInjected(root: string, directory: string): Promise<boolean> {
  for await (const entry of await opendir(join(root, directory))) {
    const path = join(directory, entry.name)
    const isKnown = entry.isDirectory()
      ? INJECTED_DIRECTORIES.has(path) && (await holdsOnlyInjected(root, path))
      : INJECTED_FILES.has(path)
    if (!isKnown) return false
  }
  return true
}
