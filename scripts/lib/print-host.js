// Prints what the result of a test run depends on: the Engine, its image store, cgroups, the kernel, the firewall and Node.
import { spawnSync } from 'node:child_process'
import { release } from 'node:os'
import { engine } from './engine-api.js'

const info = await engine('GET', '/info')
const inContainerd = JSON.stringify(info.DriverStatus ?? []).includes('io.containerd.snapshotter')
const limits = { memory: info.MemoryLimit, pids: info.PidsLimit, cpu: info.CpuCfsQuota }
const iptables = spawnSync('iptables', ['--version'], { encoding: 'utf8' })

const lines = {
  system: info.OperatingSystem,
  kernel: release(),
  'Docker Engine': info.ServerVersion,
  'image store': inContainerd ? `containerd (${info.Driver})` : info.Driver,
  cgroups: [`version ${info.CgroupVersion ?? '1'}, driver ${info.CgroupDriver}`, ...missing(limits)].join(', '),
  firewall: [
    iptables.stdout?.trim() || 'no iptables',
    ...(info.FirewallBackend ? [`Docker uses ${info.FirewallBackend.Driver}`] : []),
  ].join(', '),
  'Node.js': process.version,
}
for (const [name, value] of Object.entries(lines)) console.log(`    ${`${name}:`.padEnd(15)}${value}`)

function missing(controllers) {
  return Object.entries(controllers).flatMap(([name, there]) => (there === false ? [`without ${name}`] : []))
}
