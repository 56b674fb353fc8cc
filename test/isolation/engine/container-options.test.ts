import { availableParallelism } from 'node:os'
import { describe, expect, it } from 'vitest'
import { limitOptions } from '../../../isolation/engine/limits.js'
import { containerOptions } from '../../../isolation/engine/container-options.js'

const owner = { nodeId: '11111111-1111-4111-8111-111111111111', installDirectory: '/opt/stagerd' }
const id = '5a0f2f43-7a51-4c43-8f0b-1d3a5c7e9b11'
const network = '7d0f4f0e-6c4b-4f0a-9d3c-2b1f6a5e4d3c'
const optionsOf = (egress: boolean, hostPort?: number) =>
  containerOptions(owner, {
    id,
    root: [],
    shims: true,
    user: 'runner',
    egress,
    command: './stage "$STAGER_URL"',
    workingDirectory: '/app',
    limits: { memoryBytes: 256 << 20, cpus: 1.5, pids: 100, diskBytes: 1 << 30, timeoutMs: 600_000 },
    coordinatorPort: 4000,
    image: 'stagerd/root:abc',
    network,
    environment: { STAGER_URL: 'http://198.18.0.1:4000/x' },
    stagerfs: '/var/lib/stagerd/launches/x/merged',
    cache: '/var/lib/stagerd/launches/x/cache',
    files: [],
    seccomp: '{"defaultAction":"SCMP_ACT_ERRNO"}',
    publish: hostPort === undefined ? [] : [{ containerPort: 8080, hostPort }],
  })

describe('a container', () => {
  it('has no privileges beyond the defaults of Docker', () => {
    const { HostConfig } = optionsOf(true)
    for (const key of ['Privileged', 'CapAdd', 'Devices', 'PidMode', 'UsernsMode', 'Binds', 'VolumesFrom'])
      expect(HostConfig).not.toHaveProperty(key)
    expect(HostConfig?.Mounts?.map(({ Target }) => Target)).toEqual(['/stagerfs', '/stager-cache'])
  })

  it('has its seccomp profile, and leaves that of AppArmor to the Engine', () => {
    expect(optionsOf(true).HostConfig?.SecurityOpt).toEqual(['seccomp={"defaultAction":"SCMP_ACT_ERRNO"}'])
  })

  it('has all limits that the kernel enforces, and no swap', () => {
    expect(optionsOf(false).HostConfig).toMatchObject({
      Memory: 256 << 20,
      MemorySwap: 256 << 20,
      NanoCpus: 1_500_000_000,
      PidsLimit: 100,
    })
  })

  it('has the processors of the host for a limit above them, which the Engine would reject', () => {
    const { NanoCpus } = limitOptions({
      memoryBytes: 2 ** 50,
      cpus: 1000,
      pids: 10,
      diskBytes: 2 ** 50,
      timeoutMs: 1000,
    })
    expect(NanoCpus).toBe(availableParallelism() * 1e9)
  })

  it('gets its command as an argument that only its own shell interprets', () => {
    expect(optionsOf(false).Cmd?.at(-1)).toBe('./stage "$STAGER_URL"')
  })

  it('does not use the name servers of the host without egress', () => {
    expect(optionsOf(false).HostConfig?.Dns).toEqual(['127.0.0.1'])
    expect(optionsOf(false).HostConfig?.DnsOptions).toEqual(['timeout:1', 'attempts:1'])
    expect(optionsOf(true).HostConfig).not.toHaveProperty('Dns')
    expect(optionsOf(true).HostConfig).not.toHaveProperty('DnsOptions')
  })

  it('publishes ports only on the loopback of the host', () => {
    expect(optionsOf(false, 0).HostConfig?.PortBindings).toEqual({
      '8080/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }],
    })
  })

  it('has the labels of its node, launch and network', () => {
    expect(optionsOf(false).Labels).toEqual({
      'io.stagerd.node': owner.nodeId,
      'io.stagerd.install': '/opt/stagerd',
      'io.stagerd.launch': id,
      'io.stagerd.network': network,
    })
  })
})
