import { closeSync, constants, fchmodSync, fchownSync, futimesSync, openSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import type { OwnerIds } from './mapped-owners.js'
import { bytesOf } from './names.js'

/**
 * Standard directories whose mode is not 0755. An overlay takes the attributes of a directory from the topmost layer
 * that has it: without this, a package with the single entry `tmp/x` would make /tmp writable only for root.
 */
const KNOWN_MODES: ReadonlyMap<string, number> = new Map([
  ['tmp', 0o1777],
  ['var/tmp', 0o1777],
  ['root', 0o700],
])

/** Directories per turn of the event loop: about a millisecond. */
const BATCH_SIZE = 100

/** PATH_MAX of Linux. It includes the path of the tree itself and the final NUL. */
const PATH_MAX = 4096

/**
 * Gives directories that no entry describes fixed attributes: owner root, which is `owner` on the disk, mode 0755 (except for those above) and time
 * 0. The root of the tree always gets them, even if the archive has an entry `./`: the attributes of the directory in
 * which the archive was packed must not matter.
 *
 * The caller has checked that each path is a directory below real directories, in a tree that nobody else writes.
 */
export async function normaliseImpliedDirectories(
  root: string,
  implied: readonly string[],
  owner: OwnerIds,
  signal: AbortSignal,
): Promise<void> {
  for (const [index, path] of ['', ...implied].entries()) {
    if (index % BATCH_SIZE === BATCH_SIZE - 1) {
      await setImmediate()
      signal.throwIfAborted()
    }
    // Synchronous calls are ten times as fast here as the thread pool.
    const directory = openBelow(root, path)
    try {
      fchownSync(directory, owner.uid, owner.gid)
      fchmodSync(directory, KNOWN_MODES.get(path) ?? 0o755)
      futimesSync(directory, 0, 0)
    } finally {
      closeSync(directory)
    }
  }
}

/** Opens a path that is longer than PATH_MAX in two steps. */
function openBelow(root: string, path: string): number {
  if (root.length + path.length + 2 <= PATH_MAX) return openDirectory(root, path)
  const middle = path.lastIndexOf('/', path.length / 2)
  const half = openDirectory(root, path.slice(0, middle))
  try {
    return openDirectory(`/proc/self/fd/${half}`, path.slice(middle + 1))
  } finally {
    closeSync(half)
  }
}

function openDirectory(base: string, path: string): number {
  const place = Buffer.concat([Buffer.from(`${base}/`), bytesOf(path)])
  return openSync(place, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
}
