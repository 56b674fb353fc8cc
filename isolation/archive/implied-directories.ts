import { chmod, chown, utimes } from 'node:fs/promises'
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

/**
 * Directories that no entry describes get the attributes of none in particular: root's, 0755 but for the few above, and
 * the time 0; the same each time. The root of the tree is one of them, whatever an entry `./` says: it must not matter
 * in whose home directory somebody packed.
 *
 * The paths are known to be directories, reached through directories, of a tree that nobody else writes.
 */
export async function settleImpliedDirectories(root: string, implied: readonly string[]): Promise<void> {
  for (const path of ['', ...implied]) {
    const target = Buffer.concat([Buffer.from(`${root}/`), bytesOf(path)])
    await chown(target, 0, 0)
    await chmod(target, KNOWN_MODES.get(path) ?? 0o755)
    await utimes(target, 0, 0)
  }
}
