import { chmod, chown, lstat, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Fault } from '../../base/errors.js'
import { mountMemoryInContainer } from '../host/mounts.js'
import { STAGER_SECRETS } from '../launch-plan.js'
import { identityOf } from './root-tree.js'

/** Several times what secrets may have together: each file takes whole pages. */
const SIZE_BYTES = 2 * 2 ** 20
const MOST_INODES = 256

/** See statfs(2). */
const TMPFS_MAGIC = 0x01021994

/**
 * Puts secrets into a filesystem in memory that only the mount namespace of this container has. So it is gone with the last
 * process of the container, however that ends; the Engine does not know of it, and neither the root nor its upper directory
 * contains it. To be called before the program is started: nobody changes names meanwhile.
 *
 * @param pid the first process, which must not end during the call
 */
export async function giveSecrets(
  pid: number,
  secrets: ReadonlyMap<string, Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const directory = `/proc/${pid}/root${STAGER_SECRETS}`
  const { uid, gids } = identityOf(pid)
  const owner = { uid, gid: [...gids][0] ?? 0 }
  await mountMemoryInContainer(pid, STAGER_SECRETS, { sizeBytes: SIZE_BYTES, inodes: MOST_INODES }, signal)
  await assertInMemory(directory)
  for (const [name, value] of secrets) {
    const file = join(directory, name)
    await writeFile(file, value, { flag: 'wx', mode: 0o400 })
    await chown(file, owner.uid, owner.gid)
  }
  await chown(directory, owner.uid, owner.gid)
  await chmod(directory, 0o500)
}

/** Not a byte of them may reach a disk. */
async function assertInMemory(directory: string): Promise<void> {
  const [{ type }, found] = await Promise.all([statfs(directory), lstat(directory)])
  if (type !== TMPFS_MAGIC || !found.isDirectory())
    throw new Fault('secrets-not-in-memory', `${STAGER_SECRETS} in the container is no filesystem in memory.`)
}
