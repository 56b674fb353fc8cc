import { readFileSync } from 'node:fs'

/** The cgroup directory for freezing a container: of the freezer controller (v1) or of the unified hierarchy (v2). */
export function freezerGroup(pid: number): string {
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
  const version1 = /^\d+:freezer:(.*)$/m.exec(groups)?.[1]
  if (version1 !== undefined) return `/sys/fs/cgroup/freezer${version1}`
  return `/sys/fs/cgroup${/^0::(.*)$/m.exec(groups)?.[1] ?? ''}`
}
