import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The cgroup directory for freezing a container: of the freezer controller (v1) or of the unified hierarchy (v2). */
export function freezerGroup(pid: number): string {
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
  const version1 = /^\d+:freezer:(.*)$/m.exec(groups)?.[1]
  if (version1 !== undefined) return `/sys/fs/cgroup/freezer${version1}`
  return `/sys/fs/cgroup${/^0::(.*)$/m.exec(groups)?.[1] ?? ''}`
}

/** Whether all processes of its container are frozen. */
export function isFrozenByKernel(pid: number): boolean {
  const group = freezerGroup(pid)
  const version1 = join(group, 'freezer.state')
  if (existsSync(version1)) return readFileSync(version1, 'utf8') === 'FROZEN\n'
  return /^frozen 1$/m.test(readFileSync(join(group, 'cgroup.events'), 'utf8'))
}
