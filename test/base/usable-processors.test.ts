import { availableParallelism } from 'node:os'
import { describe, expect, it } from 'vitest'
import { processorQuota, usableProcessors } from '../../base/usable-processors.js'

const quota = (files: Readonly<Record<string, string>>) => processorQuota((file) => files[file])

describe('the quota of processors of this process', () => {
  it('is that of a unit with CPUQuota=150%', () => {
    expect(
      quota({
        '/proc/self/cgroup': '0::/system.slice/stagerd.service\n',
        '/sys/fs/cgroup/system.slice/stagerd.service/cpu.max': '150000 100000\n',
        '/sys/fs/cgroup/system.slice/cpu.max': 'max 100000\n',
      }),
    ).toBe(1.5)
  })

  it('is the smallest of the groups around it', () => {
    expect(
      quota({
        '/proc/self/cgroup': '0::/tenant.slice/stagerd.service\n',
        '/sys/fs/cgroup/tenant.slice/stagerd.service/cpu.max': '800000 100000\n',
        '/sys/fs/cgroup/tenant.slice/cpu.max': '400000 100000\n',
      }),
    ).toBe(4)
  })

  it('is that of its container, which sees its own group as the root', () => {
    expect(quota({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '200000 100000\n' })).toBe(2)
    expect(
      quota({
        '/proc/self/cgroup': '5:cpuset:/docker/1f\n4:cpu,cpuacct:/docker/1f\n0::/docker/1f\n',
        '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '300000\n',
        '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
      }),
    ).toBe(3)
  })

  it.each([
    ['without control groups', {}],
    [
      'with version 1 and no limit',
      { '/proc/self/cgroup': '1:cpu:/\n', '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n' },
    ],
    ['with version 2 and no limit', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': 'max 100000\n' }],
  ])('is none %s', (_, files) => {
    expect(quota(files)).toBe(Infinity)
  })
})

it('a process may use at least one processor, and no more than its affinity has', () => {
  expect(usableProcessors()).toBeGreaterThanOrEqual(1)
  expect(usableProcessors()).toBeLessThanOrEqual(availableParallelism())
})
