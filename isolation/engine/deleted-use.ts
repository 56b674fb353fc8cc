import { readFile, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../base/errors.js'
import { runProcess } from '../../base/run-process.js'

/** Their content is memory, and counts as such: deleted files are there without anybody's deleting them (memfd). */
const IN_MEMORY: ReadonlySet<number> = new Set([0x01021994 /* tmpfs */, 0x958458f6 /* hugetlbfs */])

/**
 * What the deleted files that a container's processes hold open or mapped use on disk, in bytes: blocks that no walk
 * through its directories finds. Only while nothing of it runs.
 *
 * A file of a lower layer counts too once it is deleted and still open, although the container did not write it: the
 * kernel tells no difference, and an open program or library that is replaced is small beside any limit. Not seen are
 * files whose one descriptor is on its way through a socket.
 *
 * @param cgroup directory of the container's processes; where it is gone, so are they
 */
export async function deletedUse(cgroup: string, signal: AbortSignal): Promise<number> {
  // Threads can have descriptors of their own; maps they always share.
  const [threads, processes] = await Promise.all([
    // Version 1 calls its file `tasks`.
    idsIn(join(cgroup, 'cgroup.threads')).then((ids) => ids ?? idsIn(join(cgroup, 'tasks'))),
    idsIn(join(cgroup, 'cgroup.procs')),
  ])
  const directories = [
    ...(threads ?? []).map((id) => `/proc/${id}/fd`),
    ...(processes ?? []).map((id) => `/proc/${id}/map_files`),
  ]
  if (directories.length === 0) return 0
  const { stdout } = await runProcess(
    'find',
    // -L: what these links lead to is the open file itself, whatever its name was; no path is walked.
    [...['-L', ...directories], ...'-mindepth 1 -maxdepth 1 -type f -links 0 -printf'.split(' '), '%D %i %b %p\\n'],
    { signal },
  )
  return await bytesOnDisk(stdout)
}

async function bytesOnDisk(found: string): Promise<number> {
  const counted = new Set<string>()
  const onDisk = new Map<string, boolean>()
  let bytes = 0
  for (const line of found.split('\n')) {
    const [device, inode, blocks, path] = line.split(' ')
    if (device === undefined || path === undefined || counted.has(`${device} ${inode}`)) continue
    counted.add(`${device} ${inode}`)
    let counts = onDisk.get(device)
    if (counts === undefined) {
      counts = !IN_MEMORY.has((await statfs(path)).type)
      onDisk.set(device, counts)
    }
    if (counts) bytes += Number(blocks) * 512
  }
  return bytes
}

async function idsIn(file: string): Promise<string[] | undefined> {
  try {
    return (await readFile(file, 'utf8')).split('\n').filter((id) => id !== '')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENODEV') return undefined
    throw error
  }
}
