import { setTimeout as delay } from 'node:timers/promises'
import { BadInput, messageOf } from '../../base/errors.js'
import { forkServer } from './fork-server.js'

/** The parameters of an overlay mount. */
export interface OverlayMount {
  /** The source in mountinfo, which identifies the owner of the mount. */
  readonly source: string
  /** Directory that `lowers` are relative to. */
  readonly base: string
  /** Topmost first; never empty. */
  readonly lowers: readonly string[]
  /** Absolute. Without it, and `work`, the mount is read-only, and needs two lower directories. */
  readonly upper?: string
  /** Absolute, and on the filesystem of `upper`. */
  readonly work?: string
  readonly target: string
}

/** mount(2) copies one page of options and silently ignores the rest. */
const PAGE = 4096

/**
 * - `redirect_dir`, `metacopy`, `index`: with the kernel's defaults, a forged extended attribute in a layer could redirect
 *   the overlay to a directory outside of it.
 * - `nodev`: device nodes of packages have no effect.
 *
 * Throws `BadInput` (`too-many-layers`) if the options exceed one page.
 */
export function overlayOptions(mount: OverlayMount): string {
  const options = [
    'nodev',
    'redirect_dir=nofollow',
    'metacopy=off',
    'index=off',
    `lowerdir=${mount.lowers.map(escapePath).join(':')}`,
    ...(mount.upper === undefined ? [] : [`upperdir=${escapePath(mount.upper)}`]),
    ...(mount.work === undefined ? [] : [`workdir=${escapePath(mount.work)}`]),
  ].join(',')
  if (Buffer.byteLength(options) >= PAGE)
    throw new BadInput(
      'too-many-layers',
      `A tree of ${mount.lowers.length} packages is too deep: its mount options do not fit ${PAGE} bytes; merge some packages.`,
    )
  return options
}

/**
 * The mount is shared, whatever the propagation of the host's root: Docker rejects slave propagation from a private mount.
 */
export async function mountOverlay(mount: OverlayMount, signal: AbortSignal): Promise<void> {
  const { base, source, target } = mount
  const options = ['--no-mtab', '--make-shared', '-t', 'overlay', '-o', overlayOptions(mount)]
  signal.throwIfAborted()
  await forkServer.run({ argv: ['mount', ...options, source, target], directory: base })
}

/**
 * Makes a directory a shared mount of itself: what is mounted there later appears in the containers that have it already,
 * whatever the propagation of the host's root.
 */
export async function shareMountPoint(directory: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  await forkServer.run({ argv: ['mount', '--no-mtab', '--bind', '--make-shared', directory, directory] })
}

/**
 * Bind-mounts a directory in the mount namespace of a container, whose programs are not allowed to mount.
 *
 * `mount` enters the namespace of a container whose files are untrusted: so it uses no helpers and no mtab, and does not
 * resolve symbolic links in paths.
 *
 * @param pid a process of the container, which must not end during the call
 */
export async function bindInContainer(pid: number, source: string, target: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  // Recursive: a non-recursive bind of /proc would expose what Docker masks.
  await forkServer.run({ argv: [...mountIn(pid), '--rbind', source, target] })
}

/**
 * Mounts an empty filesystem in memory in the mount namespace of a container. The host has it in none of its directories.
 * The kernel does not write it to swap, if it can be told so (since Linux 6.4). For the options, see `bindInContainer`.
 */
export async function mountMemoryInContainer(
  pid: number,
  target: string,
  { sizeBytes, inodes }: { readonly sizeBytes: number; readonly inodes: number },
  signal: AbortSignal,
): Promise<void> {
  const options = `nosuid,nodev,noexec,mode=0700,size=${sizeBytes},nr_inodes=${inodes}`
  const mount = (all: string) => {
    signal.throwIfAborted()
    return forkServer.run({ argv: [...mountIn(pid), '-t', 'tmpfs', '-o', all, 'stagerd', target] })
  }
  try {
    await mount(`${options},noswap`)
  } catch {
    await mount(options)
  }
}

/** Idempotent. Retries while the mount is busy: a mount namespace is destroyed a moment after its last process. */
export async function unmount(target: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      signal.throwIfAborted()
      await forkServer.run({ argv: ['umount', '--no-mtab', '--', target] })
      return
    } catch (error) {
      if (/not mounted|no mount point/i.test(messageOf(error))) return
      if (!/busy/i.test(messageOf(error))) throw error
      await delay(100, undefined, { signal })
    }
  }
}

/** As `unmount`, for a mount point that `shareMountPoint` may have made, with or without another mount on it. */
export async function unmountShared(target: string, signal: AbortSignal): Promise<void> {
  await unmount(target, signal)
  await unmount(target, signal)
}

function mountIn(pid: number): [string, ...string[]] {
  return ['mount', '--no-mtab', '--internal-only', '--no-canonicalize', '-N', `/proc/${pid}/ns/mnt`]
}

/** Overlayfs requires a backslash before the separators of directories and options. */
function escapePath(path: string): string {
  return path.replace(/[\\:,]/g, '\\$&')
}
