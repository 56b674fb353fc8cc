/**
 * The files and directories that the Docker Engine adds to every root. Paths are relative to the root.
 *
 * The Engine keeps them in a separate layer, directly below the upper directory of the container. They are not part of
 * a diff, but `chmod -R` or `chown -R` of the root copies them up, and a removal leaves a whiteout. They are also part
 * of an export of a container.
 */

/** An empty file by which programs detect that they run in a container. */
export const ENGINE_MARKER = '.dockerenv'

/** The Engine mounts its own files over these. It creates them empty if the image lacks them. */
export const MOUNTED_FILES: ReadonlySet<string> = new Set([
  'dev/console',
  'etc/hostname',
  'etc/hosts',
  'etc/resolv.conf',
])

/** Nothing is mounted over it, so a stager can replace it. */
export const MTAB_LINK = { path: 'etc/mtab', target: '/proc/mounts' } as const

export const INJECTED_FILES: ReadonlySet<string> = new Set([ENGINE_MARKER, ...MOUNTED_FILES, MTAB_LINK.path])

/** The mount points of devtmpfs, procfs and sysfs. They hide what the image contains there. */
export const KERNEL_DIRECTORIES = ['dev', 'proc', 'sys'] as const

/** What a stager sees there is not part of its root. */
export const MOUNT_POINTS = [...KERNEL_DIRECTORIES, 'stagerfs', 'stager-cache', 'stager-secrets'] as const

/** Mount points, and the parent directories of the files. */
export const INJECTED_DIRECTORIES: ReadonlySet<string> = new Set([...KERNEL_DIRECTORIES, 'dev/pts', 'dev/shm', 'etc'])
