import { dirname, resolve } from 'node:path'
import { Fault } from '../../base/errors.js'
import { readKernelFile } from '../host/kernel-file.js'
import { type MountEntry, optionOf, optionsOf, parseMountinfo } from './mountinfo.js'

/** The directories on the host of which the root of a container is made. */
export interface RootDirectories {
  /** Holds only the changes of the container. */
  readonly upper: string
  /** Topmost first. */
  readonly lowers: readonly string[]
}

/** The kernel's default for metacopy. mountinfo shows the option only where it differs. */
const METACOPY_DEFAULT = '/sys/module/overlay/parameters/metacopy'

/**
 * The directories of the root of a container, from the mountinfo of its init process. `docker inspect` does not have
 * them if the Engine uses the image store of containerd.
 *
 * @param engineDirectory the root directory of the Engine. If the options of a root with many layers do not fit into a
 *   page, overlay2 mounts with paths relative to its own directory
 * @param metacopyByDefault the default of this kernel
 * Throws `Fault` (`root-not-overlay`, `overlay-metacopy`).
 */
export function rootDirectories(
  mountinfo: string,
  engineDirectory: string,
  metacopyByDefault = false,
): RootDirectories {
  // The last mount hides the others.
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
  // Both the Engine and containerd can name lower directories relative to the directory of all layers.
  const layers = dirname(dirname(absoluteUpper))
  return { upper: absoluteUpper, lowers: named.lowers.map((lower) => resolve(layers, lower)) }
}

/**
 * mount(2) takes one string of options, with a backslash before each colon, comma or backslash of a path. Since Linux 6.5
 * fsconfig(2) can add each directory by a call of its own (`lowerdir+`), without escapes.
 */
function directoriesOf(root: MountEntry, upper: string): RootDirectories {
  const all = optionOf(root, 'lowerdir')
  if (all === undefined) return { upper, lowers: optionsOf(root, 'lowerdir+') }
  return { upper: unescape(upper), lowers: (all.match(/(?:\\.|[^:\\])+/g) ?? []).map(unescape) }
}

/**
 * With metacopy, the upper directory has no content of a file of which only the permissions changed. To detect that, an
 * attribute of every file would have to be read. Docker never sets the option: only a default of the kernel can.
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

export function findRootDirectories(pid: number, engineDirectory: string): RootDirectories {
  return rootDirectories(readKernelFile(`/proc/${pid}/mountinfo`), engineDirectory, isMetacopyDefault())
}

function isMetacopyDefault(): boolean {
  try {
    return readKernelFile(METACOPY_DEFAULT).trim() === 'Y'
  } catch {
    // A kernel without metacopy does not have this parameter.
    return false
  }
}
