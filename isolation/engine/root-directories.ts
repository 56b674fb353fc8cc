import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { Fault } from '../../base/errors.js'
import { type MountEntry, optionOf, optionsOf, parseMountinfo } from './mountinfo.js'

/** Where the root of a container lies on the host. */
export interface RootDirectories {
  /** Holds only what the container changed. */
  readonly upper: string
  /** Topmost first. */
  readonly lowers: readonly string[]
}

/** Whether overlays have metacopy on unless their options say otherwise: mountinfo shows only what differs from it. */
const METACOPY_DEFAULT = '/sys/module/overlay/parameters/metacopy'

/**
 * The directories of the root of a container, from the mountinfo of its init process: `docker inspect` does not tell
 * them where the Engine uses containerd's image store.
 *
 * @param engineDirectory the Engine's root directory: overlay2 mounts relative to its own directory below it when the
 *   option string of a root with many layers would not fit a page otherwise
 * @param metacopyByDefault of this kernel
 * Throws `Fault` (`root-not-overlay`, `overlay-metacopy`).
 */
export function rootDirectories(
  mountinfo: string,
  engineDirectory: string,
  metacopyByDefault = false,
): RootDirectories {
  // The last one is on top of any others.
  const root = parseMountinfo(mountinfo).findLast(({ mountPoint }) => mountPoint === '/')
  const upper = root?.type === 'overlay' ? optionOf(root, 'upperdir') : undefined
  if (!root || upper === undefined)
    throw new Fault(
      'root-not-overlay',
      `The root of the container is a mount of type ${root?.type ?? '(none)'}, not an overlay: let the Docker Engine use the storage driver overlay2, or containerd's overlayfs.`,
    )
  refuseMetacopy(root, metacopyByDefault)
  const named = directoriesOf(root, upper)
  const absoluteUpper = resolve(engineDirectory, 'overlay2', named.upper)
  // Engine and containerd alike shorten lower directories to what stands behind the directory of all layers.
  const layers = dirname(dirname(absoluteUpper))
  return { upper: absoluteUpper, lowers: named.lowers.map((lower) => resolve(layers, lower)) }
}

/**
 * Of a mount made with one string of options, which has a backslash before a colon, comma or backslash of a name; or,
 * since Linux 6.5, with a call for each directory, whose names are as they are.
 */
function directoriesOf(root: MountEntry, upper: string): RootDirectories {
  const all = optionOf(root, 'lowerdir')
  if (all === undefined) return { upper, lowers: optionsOf(root, 'lowerdir+') }
  return { upper: unescape(upper), lowers: (all.match(/(?:\\.|[^:\\])+/g) ?? []).map(unescape) }
}

/**
 * With metacopy a file whose permissions alone were changed is an empty shell in the upper directory. It would take an
 * attribute of each file to know, and nobody needs it: Docker does not ask for it, only a kernel's default can.
 */
function refuseMetacopy(root: MountEntry, byDefault: boolean): void {
  if ((optionOf(root, 'metacopy') ?? (byDefault ? 'on' : 'off')) === 'on')
    throw new Fault(
      'overlay-metacopy',
      `The root of the container is an overlay with metacopy on, so what it changed cannot be told: write N to ${METACOPY_DEFAULT}.`,
    )
}

function unescape(path: string): string {
  return path.replace(/\\(.)/g, '$1')
}

export async function findRootDirectories(pid: number, engineDirectory: string): Promise<RootDirectories> {
  const [mountinfo, metacopy] = await Promise.all([
    readFile(`/proc/${pid}/mountinfo`, 'utf8'),
    // No such parameter: a kernel that is older than metacopy.
    readFile(METACOPY_DEFAULT, 'utf8').catch(() => 'N'),
  ])
  return rootDirectories(mountinfo, engineDirectory, metacopy.trim() === 'Y')
}
