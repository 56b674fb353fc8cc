import { readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { parseMountinfo, type MountEntry } from './mountinfo.js'

/** The files in which the kernel counts how often a container hit its limits. */
export interface CgroupFiles {
  /** Has a line `max N`: the number of refused forks. */
  readonly pidsEvents: string | undefined
  /** Has a line `oom_kill N`. It is memory.events, or memory.oom_control of version 1. */
  readonly memoryEvents: string | undefined
}

/** How often a container hit its limits. */
export interface CgroupCounts {
  readonly forksRefused: number
  readonly oomKills: number
}

/**
 * @param cgroups text of /proc/PID/cgroup of the container's init
 * @param mountinfo text of our own /proc/self/mountinfo
 */
export function cgroupFiles(cgroups: string, mountinfo: string): CgroupFiles {
  const mounts = parseMountinfo(mountinfo)
  const file = (controller: string, version1: string, version2: string): string | undefined => {
    for (const line of cgroups.split('\n')) {
      const [, hierarchy, controllers = '', path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? []
      if (path === undefined || !controllers.split(',').includes(controller)) continue
      const mount = mounts.find((entry) => entry.type === 'cgroup' && entry.superOptions.includes(controller))
      if (hierarchy !== '0' && mount) return join(mount.mountPoint, below(mount, path), version1)
    }
    // If no version 1 hierarchy has the controller, the unified hierarchy does: its line begins with 0 and lists none. A
    // daemon in a cgroup namespace of its own sees a sibling as `/../NAME`, which does not tell the path.
    const path = /^0::(?!\/\.\.)(.*)$/m.exec(cgroups)?.[1]
    const unified = mounts.find((entry) => entry.type === 'cgroup2')
    return path !== undefined && unified ? join(unified.mountPoint, below(unified, path), version2) : undefined
  }
  return {
    pidsEvents: file('pids', 'pids.events', 'pids.events'),
    memoryEvents: file('memory', 'memory.oom_control', 'memory.events'),
  }
}

/** Throws a plain error when the process has ended, or is not in that container: process ids are reused. */
export async function findCgroupFiles(pid: number, container: string): Promise<CgroupFiles> {
  const [cgroups, mountinfo] = await Promise.all([
    readFile(`/proc/${pid}/cgroup`, 'utf8'),
    readFile('/proc/self/mountinfo', 'utf8'),
  ])
  if (!cgroups.includes(container)) throw new Error(`process ${pid} is not of container ${container}`)
  return cgroupFiles(cgroups, mountinfo)
}

/** Zeros once the files are gone: they are removed with the container. */
export async function readCounts(files: CgroupFiles): Promise<CgroupCounts> {
  const [pids, memory] = await Promise.all([readOrEmpty(files.pidsEvents), readOrEmpty(files.memoryEvents)])
  return { forksRefused: counter(pids, 'max'), oomKills: counter(memory, 'oom_kill') }
}

function counter(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
}

async function readOrEmpty(path: string | undefined): Promise<string> {
  if (path === undefined) return ''
  try {
    return await readFile(path, 'utf8')
  } catch {
    return ''
  }
}

/** If the daemon itself runs in a container, it sees only a part of the hierarchy: the root of that mount is not `/`. */
function below(mount: MountEntry, path: string): string {
  const inside = relative(mount.root, path)
  return inside.startsWith('..') ? path : inside
}
