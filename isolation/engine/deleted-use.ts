import { readFile, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../base/errors.js'
import { runProcess } from '../../base/run-process.js'

/** Filesystems in memory: their content counts against the memory limit. A memfd counts as a deleted file on tmpfs. */
const IN_MEMORY: ReadonlySet<number> = new Set([0x01021994 /* tmpfs */, 0x958458f6 /* hugetlbfs */])

/**
 * The bytes on disk of deleted files that processes of a container still have open or mapped: no walk through its
 * directories finds them. Call it only while the container is frozen.
 *
 * A deleted file of a lower layer counts too, although the container did not write it: the kernel shows no difference,
 * and programs and libraries are small compared to any limit. It misses a file whose only descriptor is in transit
 * through a socket.
 *
 * @param cgroup directory of the container's processes; if it is gone, they have ended
 */
export async function deletedUse(cgroup: string, signal: AbortSignal): Promise<number> {
  // Threads can have separate descriptor tables, but always share their mappings.
  const [threads, processes] = await Promise.all([
    // The name of the file in version 1 is `tasks`.
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
    // -L follows these links to the open files themselves, without resolving a path.
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
