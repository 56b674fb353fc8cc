import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { Fault } from '../../base/errors.js'
import { optionOf, parseMountinfo } from './mountinfo.js'

/** Where the root of a container lies on the host. */
export interface RootDirectories {
  /** Holds only what the container changed. */
  readonly upper: string
  /** Topmost first. */
  readonly lowers: readonly string[]
}

/**
 * The directories of the root of a container, from the mountinfo of its init process: `docker inspect` does not tell
 * them where the Engine uses containerd's image store.
 *
 * @param engineDirectory the Engine's root directory: overlay2 mounts relative to its own directory below it when the
 *   option string of a root with many layers would not fit a page otherwise
 * Throws `Fault` (`root-not-overlay`).
 */
export function rootDirectories(mountinfo: string, engineDirectory: string): RootDirectories {
  // The last one is on top of any others.
  const root = parseMountinfo(mountinfo).findLast(({ mountPoint }) => mountPoint === '/')
  const upper = root?.type === 'overlay' ? optionOf(root, 'upperdir') : undefined
  if (!root || upper === undefined)
    throw new Fault(
      'root-not-overlay',
      `The root of the container is a mount of type ${root?.type ?? '(none)'}, not an overlay: let the Docker Engine use the storage driver overlay2, or containerd's overlayfs.`,
    )
  const absoluteUpper = resolve(engineDirectory, 'overlay2', unescape(upper))
  // Engine and containerd alike shorten lower directories to what stands behind the directory of all layers.
  const layers = dirname(dirname(absoluteUpper))
  const lowers = (optionOf(root, 'lowerdir') ?? '').match(/(?:\\.|[^:\\])+/g) ?? []
  return { upper: absoluteUpper, lowers: lowers.map((lower) => resolve(layers, unescape(lower))) }
}

/** Overlay puts a backslash before a colon, comma or backslash of a directory's name. */
function unescape(path: string): string {
  return path.replace(/\\(.)/g, '$1')
}

export async function findRootDirectories(pid: number, engineDirectory: string): Promise<RootDirectories> {
  return rootDirectories(await readFile(`/proc/${pid}/mountinfo`, 'utf8'), engineDirectory)
}
