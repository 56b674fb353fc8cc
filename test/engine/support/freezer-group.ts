import { readFileSync } from 'node:fs'

/** The directory in which the kernel freezes a container: of the freezer of version 1, or the one of version 2. */
export function freezerGroup(pid: number): string {
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
  const version1 = /^\d+:freezer:(.*)$/m.exec(groups)?.[1]
  if (version1 !== undefined) return `/sys/fs/cgroup/freezer${version1}`
  return `/sys/fs/cgroup${/^0::(.*)$/m.exec(groups)?.[1] ?? ''}`
}
