import { basename, dirname, join, relative } from 'node:path'
import { errnoOf, Fault, messageOf } from '../../base/errors.js'
import { readKernelFile } from '../host/kernel-file.js'
import { parseMountinfo, type MountEntry } from './mountinfo.js'

/** The files in which the kernel counts how often a container hit its limits. */
export interface CgroupFiles {
  /** Has a line `max N`: the number of refused forks. */
  readonly pidsEvents: string
  /** Has a line `oom_kill N`. It is memory.events, or memory.oom_control of version 1. */
  readonly memoryEvents: string
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
export function cgroupFiles(cgroups: string, mountinfo: string): Partial<CgroupFiles> {
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
  const pidsEvents = file('pids', 'pids.events', 'pids.events')
  const memoryEvents = file('memory', 'memory.oom_control', 'memory.events')
  return {
    ...(pidsEvents === undefined ? {} : { pidsEvents }),
    ...(memoryEvents === undefined ? {} : { memoryEvents }),
  }
}

/**
 * Throws `Fault` (`limits-unknown`) if the kernel does not count there: nobody could tell then whether a container hit its
 * limits. Throws a plain error when the process has ended, or is not in that container: process ids are reused.
 */
export function findCgroupFiles(pid: number, container: string): CgroupFiles {
  const cgroups = readKernelFile(`/proc/${pid}/cgroup`)
  if (!cgroups.includes(container)) throw new Error(`process ${pid} is not of container ${container}`)
  const { pidsEvents, memoryEvents } = cgroupFiles(cgroups, readKernelFile('/proc/self/mountinfo'))
  if (pidsEvents === undefined || memoryEvents === undefined)
    throw limitsUnknown('the control group of the container is not below a cgroup mount of this process')
  const files = { pidsEvents, memoryEvents }
  const [pids, memory] = readBoth(files)
  if (pids === undefined || memory === undefined)
    throw limitsUnknown(`there is no ${pids === undefined ? pidsEvents : memoryEvents}`)
  countsOf(pids, memory)
  return files
}

/**
 * Undefined once the files are gone: they are removed with the container.
 *
 * Throws `Fault` (`limits-unknown`) if they cannot be read, or have no counter.
 */
export function readCounts(files: CgroupFiles): CgroupCounts | undefined {
  const [pids, memory] = readBoth(files)
  return pids === undefined || memory === undefined ? undefined : countsOf(pids, memory)
}

/** Bytes of memory that the group uses, with what the kernel caches of its files. Undefined once it is gone. */
export function readMemoryUse({ memoryEvents }: Pick<CgroupFiles, 'memoryEvents'>): number | undefined {
  const file = basename(memoryEvents) === 'memory.events' ? 'memory.current' : 'memory.usage_in_bytes'
  const text = readIfExists(join(dirname(memoryEvents), file))
  return text === undefined ? undefined : Number(text)
}

function countsOf(pids: string, memory: string): CgroupCounts {
  return { forksRefused: counter(pids, 'max'), oomKills: counter(memory, 'oom_kill') }
}

function counter(text: string, name: string): number {
  const [, count] = new RegExp(`^${name} (\\d+)$`, 'm').exec(text) ?? []
  if (count === undefined) throw limitsUnknown(`the kernel has no counter "${name}"`)
  return Number(count)
}

function readBoth({ pidsEvents, memoryEvents }: CgroupFiles): [string | undefined, string | undefined] {
  return [readIfExists(pidsEvents), readIfExists(memoryEvents)]
}

function readIfExists(path: string): string | undefined {
  try {
    return readKernelFile(path)
  } catch (error) {
    // ENODEV: the group was removed after the file had been opened.
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENODEV') return undefined
    throw limitsUnknown(messageOf(error), error)
  }
}

function limitsUnknown(why: string, cause?: unknown): Fault {
  return new Fault(
    'limits-unknown',
    `The counters of the memory and pids limits cannot be read (${why}): give the kernel the controllers memory and pids, of cgroup version 1 or 2.`,
    { cause },
  )
}

/** If the daemon itself runs in a container, it sees only a part of the hierarchy: the root of that mount is not `/`. */
function below(mount: MountEntry, path: string): string {
  const inside = relative(mount.root, path)
  return inside.startsWith('..') ? path : inside
}
