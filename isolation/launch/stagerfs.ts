import { constants } from 'node:fs'
import { chmod, lstat, mkdir, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Stats } from 'node:fs'
import { BadInput, errnoOf } from '../../base/errors.js'
import type { Layer } from '../layers/layer.js'
import { bindInContainer, mountOverlay, unmount, type OverlayMount } from '../host/mounts.js'
import type { Scratch } from '../host/scratch.js'

/**
 * /stagerfs of a launch: the layers of the package's dependencies, with a private upper directory on top.
 *
 *   lower (shared, read-only)            upper (private)
 *   bin/ etc/ usr/ ...              +    etc/resolv.conf  proc/  dev/  tmp/
 */
export function stagerfsMount(
  source: string,
  layersDirectory: string,
  layers: readonly Layer[],
  scratch: Scratch,
): OverlayMount {
  // Plans count from the operating system upward, overlay from the top down.
  const lowers = layers.map(({ relativePath }) => relativePath).toReversed()
  return {
    source,
    base: layersDirectory,
    lowers: [...lowers, scratch.ground],
    upper: scratch.upper,
    work: scratch.work,
    target: scratch.merged,
  }
}

/** What Docker writes into every container on a network of its own: its resolver listens there. */
const RESOLV_CONF = 'nameserver 127.0.0.11\noptions ndots:0\n'

/**
 * Mount, and put in place what `chroot /stagerfs` needs. Nothing of the stager runs yet, so what is looked at stays as
 * it is; and no symbolic link of a package is followed.
 *
 * Throws `BadInput` (`too-many-layers`, `stagerfs-unfit`).
 */
export async function makeStagerfs(mount: OverlayMount, signal: AbortSignal): Promise<void> {
  await mountOverlay(mount, signal)
  const merged = (name: string) => join(mount.target, name)
  for (const name of ['proc', 'dev', 'etc']) await ensureDirectory(merged(name), name, 0o755)
  await ensureDirectory(merged('tmp'), 'tmp', 0o1777)
  const resolvConf = merged('etc/resolv.conf')
  // Often a symbolic link into /run; and the stager copies its own over it, which a mount would make fail.
  if (await lstatOrNothing(resolvConf)) await unlink(resolvConf)
  const file = await open(resolvConf, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o644)
  try {
    await file.writeFile(RESOLV_CONF)
  } finally {
    await file.close()
  }
}

/** Inside the container's own mount namespace: there it is its own /proc, behind Docker's masks, and its own /dev. */
export async function mountKernelFilesystems(pid: number, signal: AbortSignal): Promise<void> {
  await Promise.all([
    bindInContainer(pid, '/proc', '/stagerfs/proc', signal),
    bindInContainer(pid, '/dev', '/stagerfs/dev', signal),
  ])
}

export async function removeStagerfs(scratch: Scratch, signal: AbortSignal): Promise<void> {
  await unmount(scratch.merged, signal)
}

async function ensureDirectory(path: string, name: string, mode: number): Promise<void> {
  const found = await lstatOrNothing(path)
  if (found?.isDirectory()) return
  if (found)
    throw new BadInput(
      'stagerfs-unfit',
      `The package's dependencies have /${name} as something else than a directory: /stagerfs needs a directory there.`,
    )
  await mkdir(path)
  // mkdir(2) takes the umask off, and does not know the sticky bit everywhere.
  await chmod(path, mode)
}

async function lstatOrNothing(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
