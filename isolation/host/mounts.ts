import { setTimeout as delay } from 'node:timers/promises'
import { BadInput, messageOf } from '../../base/errors.js'
import { runProcess } from '../../base/run-process.js'

/** An overlay mount as plain data. */
export interface OverlayMount {
  /** What mountinfo shows as the source: it tells whose the mount is. */
  readonly source: string
  /** Directory that `lowers` are relative to. */
  readonly base: string
  /** Topmost first; never empty. */
  readonly lowers: readonly string[]
  /** Absolute. */
  readonly upper: string
  /** Absolute, on the filesystem of `upper`. */
  readonly work: string
  readonly target: string
}

/** mount(2) copies one page of options, and cuts the rest off without a word. */
const PAGE = 4096

/**
 * - `redirect_dir`, `metacopy`, `index`: under the kernel's defaults a forged extended attribute in a package's layer
 *   could lead the overlay to a directory outside of it.
 * - `nodev`: a device node of a package is a plain name there.
 *
 * Throws `BadInput` (`too-many-layers`) when they do not fit a page.
 */
export function overlayOptions(mount: OverlayMount): string {
  const options = [
    'nodev',
    'redirect_dir=nofollow',
    'metacopy=off',
    'index=off',
    `lowerdir=${mount.lowers.map(escapePath).join(':')}`,
    `upperdir=${escapePath(mount.upper)}`,
    `workdir=${escapePath(mount.work)}`,
  ].join(',')
  if (Buffer.byteLength(options) >= PAGE)
    throw new BadInput(
      'too-many-layers',
      `A /stagerfs of ${mount.lowers.length} packages is too deep: its mount options do not fit ${PAGE} bytes; merge some packages.`,
    )
  return options
}

/**
 * Mounted shared, whatever the host's root is, because Docker refuses slave propagation from a private mount.
 */
export async function mountOverlay(mount: OverlayMount, signal: AbortSignal): Promise<void> {
  await runProcess(
    'mount',
    ['--no-mtab', '--make-shared', '-t', 'overlay', '-o', overlayOptions(mount), mount.source, mount.target],
    // The newer mount interface of the kernel takes at most 256 bytes an option.
    { cwd: mount.base, signal, env: { LIBMOUNT_FORCE_MOUNT2: 'always' } },
  )
}

/**
 * Bind directories of a container's namespace inside that namespace, whose programs may not mount.
 *
 * `mount` changes into the namespace of a container whose files it must not trust: so no helpers, no mtab, and no
 * canonicalisation of paths by its symbolic links.
 *
 * @param pid of a process of the container that cannot end meanwhile
 */
export async function bindInContainer(pid: number, source: string, target: string, signal: AbortSignal): Promise<void> {
  await runProcess(
    'mount',
    // Recursive: a plain bind of /proc would show what Docker masks.
    ['--no-mtab', '--internal-only', '--no-canonicalize', '-N', `/proc/${pid}/ns/mnt`, '--rbind', source, target],
    { signal, env: { LC_ALL: 'C' } },
  )
}

/** Also right when nothing is mounted there. Waits while it is busy: a mount namespace dies a moment after its last process. */
export async function unmount(target: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await runProcess('umount', ['--no-mtab', '--', target], { signal })
      return
    } catch (error) {
      if (/not mounted|no mount point/i.test(messageOf(error))) return
      if (!/busy/i.test(messageOf(error))) throw error
      await delay(100, undefined, { signal })
    }
  }
}

/** Overlay reads a backslash before what separates directories and options. */
function escapePath(path: string): string {
  return path.replace(/[\\:,]/g, '\\$&')
}
