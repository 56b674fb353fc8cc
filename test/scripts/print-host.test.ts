import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { execa } from 'execa'
import { expect, it, onTestFinished } from 'vitest'

const ROOT = path.resolve(import.meta.dirname, '../..')

const DEBIAN_12 = {
  OperatingSystem: 'Debian GNU/Linux 12 (bookworm)',
  ServerVersion: '20.10.24+dfsg1',
  Driver: 'overlay2',
  DriverStatus: [['Backing Filesystem', 'extfs']],
  CgroupVersion: '1',
  CgroupDriver: 'cgroupfs',
  MemoryLimit: true,
  PidsLimit: true,
  CpuCfsQuota: true,
}

/** The lines of a run on a host whose Engine says this of itself. */
async function printed(info: object): Promise<Map<string, string>> {
  const server = createServer((_, response) => response.end(JSON.stringify(info))).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { stdout } = await execa('node', [path.join(ROOT, 'scripts/lib/print-host.js')], {
    env: { DOCKER_HOST: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}` },
  })
  return new Map(stdout.split('\n').map((line) => /^ *(.*?): +(.*)$/.exec(line)!.slice(1) as [string, string]))
}

it('prints what the result of a run depends on', async () => {
  const lines = await printed(DEBIAN_12)
  expect([...lines.keys()]).toEqual(
    ['system', 'kernel', 'Docker Engine', 'image store', 'cgroups', 'firewall', 'Node.js'], // in this order
  )
  expect(Object.fromEntries(lines)).toMatchObject({
    system: 'Debian GNU/Linux 12 (bookworm)',
    'Docker Engine': '20.10.24+dfsg1',
    'image store': 'overlay2',
    cgroups: 'version 1, driver cgroupfs',
    'Node.js': process.version,
  })
})

it('names the image store of containerd, which the storage driver does not tell', async () => {
  const lines = await printed({
    ...DEBIAN_12,
    Driver: 'overlayfs',
    DriverStatus: [['driver-type', 'io.containerd.snapshotter.v1']],
    FirewallBackend: { Driver: 'nftables' },
  })
  expect(lines.get('image store')).toBe('containerd (overlayfs)')
  expect(lines.get('firewall')).toMatch(/, Docker uses nftables$/)
})

it('says which limits the Engine cannot set', async () => {
  const lines = await printed({ ...DEBIAN_12, CgroupVersion: '2', MemoryLimit: false, PidsLimit: false })
  expect(lines.get('cgroups')).toBe('version 2, driver cgroupfs, without memory, without pids')
})
