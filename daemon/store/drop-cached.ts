import { runProcess } from '../../base/run-process.js'

/**
 * Has the kernel forget what it has cached of a file, so that the next read comes from the disk. Node has no call for
 * posix_fadvise(2), but dd has a flag for it. Never rejects: where that is not possible, the next read is as any other.
 */
export async function dropCached(path: string): Promise<void> {
  await runProcess('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none']).catch(() => undefined)
}
