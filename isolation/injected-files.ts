/**
 * What the Docker Engine puts into every root, whatever the image has. Paths are from the root, without a leading slash.
 *
 * The Engine keeps these in a layer of their own, just below the upper directory of the container. So they are in no
 * diff; but `chmod -R` or `chown -R` over the root copies them up, and a removal leaves a whiteout. An export of a
 * container has them too.
 */

/** An empty file by which programs tell that they run in a container. */
export const ENGINE_MARKER = '.dockerenv'

/** Empty files, made where the image has none: the Engine mounts its own files on them. */
export const MOUNTED_FILES: ReadonlySet<string> = new Set([
  'dev/console',
  'etc/hostname',
  'etc/hosts',
  'etc/resolv.conf',
])

/** Nothing is mounted on it, so a stager can replace it. */
export const MTAB_LINK = { path: 'etc/mtab', target: '/proc/mounts' } as const

export const INJECTED_FILES: ReadonlySet<string> = new Set([ENGINE_MARKER, ...MOUNTED_FILES, MTAB_LINK.path])

/** The mount points of devtmpfs, procfs and sysfs. What an image has in them is hidden when it runs. */
export const KERNEL_DIRECTORIES = ['dev', 'proc', 'sys'] as const

/** Mount points, and the directories that hold the files. */
export const INJECTED_DIRECTORIES: ReadonlySet<string> = new Set([...KERNEL_DIRECTORIES, 'dev/pts', 'dev/shm', 'etc'])
