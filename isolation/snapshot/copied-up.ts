import { constants } from 'node:fs'
import { lstat, open, readlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf } from '../../base/errors.js'
import { MTAB_LINK } from '../injected-files.js'
import type { LowerLayers } from './lower-layers.js'

/**
 * Absolute paths of the files in an upper directory that are still as the Engine or stagerd put them into the root:
 * `chown -R` and `chmod -R` copy them up. The stager did not make them, so a snapshot excludes them.
 *
 * Call it while the container is frozen. The tree is not trusted: no symbolic link is followed, and only regular files
 * are opened.
 *
 * @param givenFiles content by absolute path: the files that stagerd put into the root
 */
export async function copiedUp(
  upper: string,
  lower: LowerLayers,
  givenFiles: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  const copies: string[] = []
  for (const [path, content] of givenFiles) if (await isFileWith(Buffer.from(content), upper, path)) copies.push(path)
  if (await isEngineLink(upper, lower)) copies.push(`/${MTAB_LINK.path}`)
  return copies
}

/** Where the packages show the same link, the Engine makes none. */
async function isEngineLink(upper: string, lower: LowerLayers): Promise<boolean> {
  const { path, target } = MTAB_LINK
  if ((await kindAt(upper, `/${path}`)) !== 'symlink' || (await readlink(join(upper, path))) !== target) return false
  return !(await lower.shows(path))
}

async function isFileWith(content: Buffer, upper: string, path: string): Promise<boolean> {
  if ((await kindAt(upper, path)) !== 'file') return false
  const file = await open(join(upper, path), constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    // The length first: a stager can make the file as long as it likes.
    return (await file.stat()).size === content.length && (await file.readFile()).equals(content)
  } finally {
    await file.close()
  }
}

/** Asks the same of each parent first, so that no symbolic link leads out of `upper`. */
async function kindAt(upper: string, path: string): Promise<'directory' | 'file' | 'symlink' | 'other' | 'nothing'> {
  if (path !== '/' && (await kindAt(upper, dirname(path))) !== 'directory') return 'nothing'
  try {
    const stats = await lstat(join(upper, path))
    if (stats.isDirectory()) return 'directory'
    if (stats.isFile()) return 'file'
    return stats.isSymbolicLink() ? 'symlink' : 'other'
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'nothing'
    throw error
  }
}
