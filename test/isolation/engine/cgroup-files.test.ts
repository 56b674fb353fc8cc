import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { cgroupFiles, readCounts, readMemoryUse } from '../../../isolation/engine/cgroup-files.js'

const VERSION_1_MOUNTS = `\
30 25 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
32 30 0:28 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
33 30 0:29 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`
/** systemd 252 on Linux 6.1 and later. */
const VERSION_2_MOUNTS =
  '31 25 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n'

describe('the cgroup files of a container', () => {
  it('are found in the hierarchies of version 1', () => {
    const cgroups = '8:pids:/docker/4128\n4:memory:/docker/4128\n0::/docker/4128\n'
    expect(cgroupFiles(cgroups, VERSION_1_MOUNTS)).toEqual({
      pidsEvents: '/sys/fs/cgroup/pids/docker/4128/pids.events',
      memoryEvents: '/sys/fs/cgroup/memory/docker/4128/memory.oom_control',
    })
  })

  it.each([
    ['systemd', '/system.slice/docker-4128.scope'],
    ['the cgroupfs driver of the Engine', '/docker/4128'],
    ['the systemd of a user', '/user.slice/user-1000.slice/user@1000.service/user.slice/docker-4128.scope'],
  ])('are found in version 2, created by %s', (_, path) => {
    expect(cgroupFiles(`0::${path}\n`, VERSION_2_MOUNTS)).toEqual({
      pidsEvents: `/sys/fs/cgroup${path}/pids.events`,
      memoryEvents: `/sys/fs/cgroup${path}/memory.events`,
    })
  })

  it('are found in version 2 if version 1 has only other controllers', () => {
    const mounts = '31 30 0:27 / /sys/fs/cgroup/net_cls rw - cgroup cgroup rw,net_cls\n' + VERSION_2_MOUNTS
    const cgroups = '1:net_cls:/\n0::/system.slice/docker-4128.scope\n'
    expect(cgroupFiles(cgroups, mounts).memoryEvents).toBe(
      '/sys/fs/cgroup/system.slice/docker-4128.scope/memory.events',
    )
  })

  it('are found by a daemon that sees only a part of the hierarchy', () => {
    const mounts = '31 25 0:27 /docker/outer /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n'
    expect(cgroupFiles('0::/docker/outer/docker/4128\n', mounts).pidsEvents).toBe(
      '/sys/fs/cgroup/docker/4128/pids.events',
    )
  })

  it('are unknown to a daemon in a separate cgroup namespace', () => {
    expect(cgroupFiles('0::/../docker-4128.scope\n', VERSION_2_MOUNTS)).toEqual({})
  })

  it('are unknown if there is no such controller', () => {
    expect(cgroupFiles('', VERSION_2_MOUNTS)).toEqual({})
  })
})

describe('the counters of a container', () => {
  /** The files of a control group with these texts. A missing text is a missing file. */
  async function group(texts: { readonly pids?: string; readonly memory?: string }) {
    const directory = await mkdtemp(join(tmpdir(), 'stagerd-cgroup-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    const files = { pidsEvents: join(directory, 'pids.events'), memoryEvents: join(directory, 'memory.events') }
    if (texts.pids !== undefined) await writeFile(files.pidsEvents, texts.pids)
    if (texts.memory !== undefined) await writeFile(files.memoryEvents, texts.memory)
    return files
  }

  it.each([
    ['version 1', 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n'],
    ['version 2', 'low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n'],
  ])('are read in %s', async (_, memory) => {
    expect(readCounts(await group({ pids: 'max 4\n', memory }))).toEqual({ forksRefused: 4, oomKills: 2 })
  })

  it('are gone with the container', async () => {
    expect(readCounts(await group({ pids: 'max 0\n' }))).toBeUndefined()
    expect(readCounts(await group({}))).toBeUndefined()
  })

  it.each([
    ['the kernel does not count', { pids: '', memory: 'oom_kill 0\n' }, /no counter "max"/],
    ['the kernel is too old', { pids: 'max 0\n', memory: 'under_oom 0\n' }, /no counter "oom_kill"/],
  ])('do not pass for zero where %s', async (_, texts, message) => {
    const files = await group(texts)
    expect(() => readCounts(files)).toThrow(
      expect.objectContaining({ code: 'limits-unknown', message: expect.stringMatching(message) as string }),
    )
  })

  it('do not pass for zero where the file cannot be read', async () => {
    const files = { ...(await group({ memory: 'oom_kill 0\n' })), pidsEvents: tmpdir() }
    expect(() => readCounts(files)).toThrow(
      expect.objectContaining({ code: 'limits-unknown', message: expect.stringMatching(/EISDIR/) as string }),
    )
  })
})

describe('the memory of a container', () => {
  it.each([
    ['version 1', 'memory.oom_control', 'memory.usage_in_bytes'],
    ['version 2', 'memory.events', 'memory.current'],
  ])('is read in %s, and gone with the container', async (_, events, use) => {
    const directory = await mkdtemp(join(tmpdir(), 'stagerd-cgroup-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    const files = { memoryEvents: join(directory, events) }
    expect(readMemoryUse(files)).toBeUndefined()
    await writeFile(join(directory, use), '3145728\n')
    expect(readMemoryUse(files)).toBe(3 << 20)
  })
})
