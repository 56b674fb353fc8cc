import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** How many processors this process may use at once: by its affinity, and by the quota of its control groups. At least 1. */
export function usableProcessors(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(processorQuota(readIfExists))))
}

/**
 * In processors, which may be a fraction; Infinity without one. The libuv of Node.js 20 does not look at it.
 *
 * @param read the text of a file; undefined if there is none
 */
export function processorQuota(read: (file: string) => string | undefined): number {
  let quota = Infinity
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, hierarchy, controllers = '', path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? []
    if (path === undefined) continue
    const isUnified = hierarchy === '0'
    if (!isUnified && !controllers.split(',').includes('cpu')) continue
    // In a container, the path may be that of the host, while the mount shows the group of the container as its root.
    for (const group of withAncestors(path))
      quota = Math.min(quota, isUnified ? quotaOfUnified(group, read) : quotaOfVersion1(group, read))
  }
  return quota
}

function quotaOfUnified(group: string, read: (file: string) => string | undefined): number {
  const [, used, period] = /^(\d+) (\d+)/.exec(read(`/sys/fs/cgroup${group}/cpu.max`) ?? '') ?? []
  return used === undefined ? Infinity : Number(used) / Number(period)
}

function quotaOfVersion1(group: string, read: (file: string) => string | undefined): number {
  const directory = `/sys/fs/cgroup/cpu${group}`
  const used = Number(read(`${directory}/cpu.cfs_quota_us`) ?? -1)
  const period = Number(read(`${directory}/cpu.cfs_period_us`) ?? 0)
  return used > 0 && period > 0 ? used / period : Infinity
}

/** `/a/b` gives `/a/b`, `/a` and the root, which is empty. */
function withAncestors(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '')
  return [...names, ''].map((_, left) =>
    names
      .slice(0, names.length - left)
      .map((name) => `/${name}`)
      .join(''),
  )
}

function readIfExists(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
