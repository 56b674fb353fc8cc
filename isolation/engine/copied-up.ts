import { constants } from 'node:fs'
import { lstat, open, readlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf } from '../../base/errors.js'
import { INJECTED_LINK } from '../snapshot/engine-files.js'
import { LowerDirectories } from '../snapshot/lower-layers.js'
import type { RootDirectories } from './root-directories.js'

/**
 * Absolute paths of what a container has in its upper directory as it was given it, by Docker or by us: `chown -R` and
 * `chmod -R` copy it up. It is nobody's change, and to be left out of snapshots.
 *
 * The container stands still. Its files are not trusted: no link of it is followed, and nothing but files opened.
 *
 * @param shim content by absolute path
 */
export async function copiedUp(
  { upper, lowers }: RootDirectories,
  shim: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  const copies: string[] = []
  for (const [path, content] of shim) if (await isFileOf(upper, path, Buffer.from(content))) copies.push(path)
  if (await isDockersLink(upper, lowers)) copies.push(INJECTED_LINK.path)
  return copies
}

/** Unless a package brought the same link: then Docker put none there. */
async function isDockersLink(upper: string, lowers: readonly string[]): Promise<boolean> {
  const { path, target } = INJECTED_LINK
  if ((await kindAt(upper, path)) !== 'symlink' || (await readlink(join(upper, path))) !== target) return false
  return !(await LowerDirectories.of(lowers)).mayHold(path.slice(1))
}

async function isFileOf(upper: string, path: string, content: Buffer): Promise<boolean> {
  if ((await kindAt(upper, path)) !== 'file') return false
  const file = await open(join(upper, path), constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    // A file of the stager's may be of any length.
    return (await file.stat()).size === content.length && (await file.readFile()).equals(content)
  } finally {
    await file.close()
  }
}

/** Asked of each directory on the way, so that no link is followed out of `upper`. */
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
