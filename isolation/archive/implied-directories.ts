import { closeSync, constants, fchmodSync, fchownSync, futimesSync, openSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { bytesOf } from './names.js'

/**
 * Directories that every system has and that are not 0755. An overlay takes a directory's attributes from the topmost
 * layer that has it: a package with the one entry `tmp/x` would otherwise close /tmp to everybody but root.
 */
const KNOWN_MODES: ReadonlyMap<string, number> = new Map([
  ['tmp', 0o1777],
  ['var/tmp', 0o1777],
  ['root', 0o700],
])

/** How many directories at a stretch: a millisecond, after which others get their turn. */
const STRETCH = 100

/** PATH_MAX of Linux counts the way to the tree, and the final NUL. */
const PATH_MAX = 4096

/**
 * Directories that no entry describes get the attributes of none in particular: root's, 0755 but for the few above, and
 * the time 0; the same each time. The root of the tree is one of them, whatever an entry `./` says: it must not matter
 * in whose home directory somebody packed.
 *
 * The paths are known to be directories, reached through directories, of a tree that nobody else writes.
 */
export async function settleImpliedDirectories(
  root: string,
  implied: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (const [index, path] of ['', ...implied].entries()) {
    if (index % STRETCH === STRETCH - 1) {
      await setImmediate()
      signal.throwIfAborted()
    }
    // Synchronous on purpose: ten times as fast as by way of the thread pool.
    const directory = openBelow(root, path)
    try {
      fchownSync(directory, 0, 0)
      fchmodSync(directory, KNOWN_MODES.get(path) ?? 0o755)
      futimesSync(directory, 0, 0)
    } finally {
      closeSync(directory)
    }
  }
}

/** In two steps what is too far away for one. */
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
