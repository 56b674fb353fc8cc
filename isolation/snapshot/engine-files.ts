import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../base/errors.js'

/**
 * What Docker puts into every root: empty files to mount its own upon, and a link. They lie in a layer of its own just
 * below the upper directory, so that they are not among the changes. But `chmod -R` or `chown -R` over the root brings
 * copies of them up, and a removal leaves a whiteout.
 */
export const INJECTED: ReadonlySet<string> = new Set([
  '.dockerenv',
  'dev/console',
  'etc/hostname',
  'etc/hosts',
  'etc/mtab',
  'etc/resolv.conf',
])

/** The one of them that is a link, and not mounted upon: a stager may put another in its place. */
export const INJECTED_LINK = { path: '/etc/mtab', target: '/proc/mounts' } as const

/** The directories of that layer: to be mounted upon, and to hold the files. */
const INJECTED_DIRECTORIES: ReadonlySet<string> = new Set(['dev', 'dev/pts', 'dev/shm', 'etc', 'proc', 'sys'])

/**
 * Whether a layer is Docker's own. By what it holds, because only overlay2 names it (`ID-init`), and directories of
 * containerd are but numbers: every Engine makes `.dockerenv` anew in it, and nothing beyond those names.
 *
 * To be asked of the topmost layer alone, a directory's names or two: what is below it is packages'.
 */
export async function isEngineLayer(directory: string): Promise<boolean> {
  const isEmptyFile = await lstat(join(directory, '.dockerenv')).then(
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
      : INJECTED.has(path)
    if (!isKnown) return false
  }
  return true
}
