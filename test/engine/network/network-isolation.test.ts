import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { runProcess } from '../../../base/run-process.js'
import { Firewall } from '../../../isolation/network/firewall.js'
import { networkMtu } from '../../../isolation/network/uplink-mtu.js'
import { launch, planOf, Recorder } from '../../contract/isolation-under-test.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'

/**
 * Prints `open` or `shut` for each address and port. A connection whose packets are rejected from some moment on may
 * never end, and nc waits only a second for its beginning.
 */
const knock = (...doors: string[]) =>
  `for door in ${doors.join(' ')}; do if timeout 5 nc -w 1 \${door%:*} \${door##*:} </dev/null >/dev/null 2>&1; then echo open; else echo shut; fi; done; `
const COORDINATOR = 'at=${STAGER_URL#http://}; at=${at%%/*}; '

/** The interface of the host with the address of a coordinator. */
function bridgeOf({ address }: Pick<Recorder, 'address'>): string {
  const found = Object.entries(networkInterfaces()).find(([, all]) => all?.some((one) => one.address === address))
  if (!found) throw new Error(`no interface has ${address}`)
  return found[0]
}

/** The rules of stagerd in the format of `iptables-save`. The comment of each ends as the name of the bridge does. */
async function rulesOf(bridge: string): Promise<string[]> {
  const { stdout } = await runProcess('iptables-save', ['-t', 'filter'])
  return stdout.split('\n').filter((line) => line.includes(`${bridge.slice(-8)}" -j`))
}

async function flush(bridge: string): Promise<void> {
  const rules = await rulesOf(bridge)
  const input = ['*filter', ...rules.map((rule) => rule.replace('-A', '-D')), 'COMMIT', ''].join('\n')
  await runProcess('iptables-restore', ['--noflush', '-w'], { input })
}

/** The file that says whether IPv6 is disabled on a bridge. */
const ipv6Switch = (bridge: string) => `/proc/sys/net/ipv6/conf/${bridge}/disable_ipv6`

describe('the network of a launch', () => {
  let under: DockerIsolationUnderTest
  let service: Server
  let servicePort: number
  beforeAll(async () => {
    under = await dockerIsolation()
    // A service that listens on all addresses of the host.
    service = createServer((socket) => socket.end('secret\n')).listen(0, '::')
    await once(service, 'listening')
    servicePort = (service.address() as AddressInfo).port
  })
  afterEach(() => under.expectNothingLeft())
  afterAll(async () => {
    service.close()
    await under.close()
  })

  const outputOf = async (shell: string, change: { egress?: boolean } = {}) => {
    const recorder = new Recorder()
    const plan = { ...planOf(under, { shell, fake: () => Promise.resolve() }), ...change }
    const { running, release } = await launch(under.isolation, plan, recorder)
    expect(await running.ended).toMatchObject({ kind: 'exited' })
    expect(await release()).toEqual({ failures: [] })
    return recorder.stdout.trim().split('\n')
  }
  const hostAddress = () =>
    Object.values(networkInterfaces())
      .flat()
      .find((address) => address?.family === 'IPv4' && !address.internal)?.address ?? '127.0.0.1'

  it.each([true, false])('has the MTU of the uplink, with egress or without: %s', async (egress) => {
    const uplink = networkMtu('uplink') ?? 1500
    expect(await outputOf('cat /sys/class/net/eth0/mtu', { egress })).toEqual([String(uplink)])
  })

  it('reaches the coordinator, and no other port of the host', async () => {
    const doors = knock('$at', `\${at%:*}:${servicePort}`, `${hostAddress()}:${servicePort}`)
    expect(await outputOf(COORDINATOR + doors)).toEqual(['open', 'shut', 'shut'])
  })

  it('with egress reaches no other port of the host either, and no metadata service', async () => {
    const doors = knock('$at', `\${at%:*}:${servicePort}`, `${hostAddress()}:${servicePort}`)
    const clouds = ['169.254.169.254', '168.63.129.16', '100.100.100.200']
    // Rejected, not only without a response: nothing has these addresses here. Newer Engines give a network no default
    // route if the host has none.
    const asked = clouds.map((address) => `nc -w 20 ${address} 80 </dev/null 2>&1; `).join('')
    expect(await outputOf(COORDINATOR + doors + asked, { egress: true })).toEqual([
      ...['open', 'shut', 'shut'],
      ...clouds.map((): unknown => expect.stringMatching(/refused|Network is unreachable/)),
    ])
  })

  it('cannot reach the host by IPv6 through the link-local address of the bridge', async () => {
    const [line] = await outputOf(`ip -6 addr show dev eth0 | grep -q inet6 && echo has || echo none; ${knock('x:1')}`)
    expect(line).toBe('none')
  })

  it('has a bridge without IPv6, also after that was enabled on all interfaces', async () => {
    const recorder = new Recorder()
    const plan = planOf(under, { shell: 'sleep 60', fake: () => Promise.resolve() })
    const { release } = await launch(under.isolation, plan, recorder)
    const bridge = bridgeOf(recorder)
    const addresses = () => Object.values(networkInterfaces()[bridge] ?? {}).map(({ family }) => family)
    expect(addresses()).toEqual(['IPv4'])
    await writeFile(ipv6Switch(bridge), '0')
    await vi.waitFor(() => expect(recorder.repairs).toEqual(['firewall rules']), 60_000)
    expect(await readFile(ipv6Switch(bridge), 'utf8')).toBe('1\n')
    expect(addresses()).toEqual(['IPv4'])
    expect(await release()).toEqual({ failures: [] })
  })

  it('without egress gets an error at once for a connection to the outside', async () => {
    // Newer Engines give an internal network no default route.
    expect(await outputOf('nc -w 20 192.0.2.1 80 </dev/null 2>&1; true')).toEqual([
      expect.stringMatching(/refused|Network is unreachable/),
    ])
  })

  it('does not reach the coordinator of another launch', async () => {
    const neighbour = new Recorder()
    const plan = { ...planOf(under, { shell: 'echo ready; sleep 60', fake: () => Promise.resolve() }), egress: true }
    const { release } = await launch(under.isolation, plan, neighbour)
    const theirs = `${neighbour.address}:${neighbour.port}`
    await vi.waitFor(() => expect(neighbour.stdout).toBe('ready\n'), 60_000)
    expect(await outputOf(COORDINATOR + knock('$at', theirs))).toEqual(['open', 'shut'])
    expect(await outputOf(COORDINATOR + knock('$at', theirs), { egress: true })).toEqual(['open', 'shut'])
    await release()
    expect(neighbour.asked).toEqual([])
  })

  it('has a coordinator that does not answer neighbours of the host', async () => {
    // A simulated host, one hop away, that routes everything through this one.
    const name = `sdn-${randomBytes(4).toString('hex')}`
    const ip = (...args: string[]) => runProcess('ip', args)
    const inside = (...args: string[]) => runProcess('ip', ['netns', 'exec', name, ...args])
    const recorder = new Recorder()
    const plan = planOf(under, { shell: 'sleep 60', fake: () => Promise.resolve() })
    await ip('netns', 'add', name)
    try {
      await ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'up0', 'netns', name)
      await ip('address', 'add', '198.19.254.1/30', 'dev', name)
      await ip('link', 'set', name, 'up')
      await inside('ip', 'address', 'add', '198.19.254.2/30', 'dev', 'up0')
      await inside('ip', 'link', 'set', 'up0', 'up')
      await inside('ip', 'route', 'add', 'default', 'via', '198.19.254.1')
      const { release } = await launch(under.isolation, plan, recorder)
      await inside('busybox', 'nc', '-w', '5', '198.19.254.1', String(servicePort))
      await expect(inside('busybox', 'nc', '-w', '5', recorder.address, String(recorder.port))).rejects.toThrow(
        /refused/,
      )
      await release()
    } finally {
      await ip('netns', 'delete', name)
    }
  })

  it('is closed again shortly after its firewall rules are flushed', async () => {
    const recorder = new Recorder()
    const shell = `${COORDINATOR}while :; do ${knock(`\${at%:*}:${servicePort}`)} sleep 0.1; done`
    const plan = planOf(under, { shell, fake: () => Promise.resolve() })
    const { release } = await launch(under.isolation, plan, recorder)
    await vi.waitFor(() => expect(recorder.stdout).toMatch(/^shut\n/), 60_000)

    const bridge = bridgeOf(recorder)
    const before = await rulesOf(bridge)
    expect(before).toHaveLength(5)
    await vi.waitFor(async () => {
      const before = recorder.stdout.length
      await flush(bridge)
      // Two answers: the first may be to a connection from before. The guard may restore the rules in between.
      await vi.waitFor(() => expect(recorder.stdout.length).toBeGreaterThan(before + 'open\n'.length), 60_000)
      expect(recorder.stdout).toContain('open\n')
    }, 60_000)

    await vi.waitFor(async () => expect(await rulesOf(bridge)).toEqual(before), 60_000)
    expect(new Set(recorder.repairs)).toEqual(new Set(['firewall rules']))
    const said = recorder.stdout.length
    await vi.waitFor(() => expect(recorder.stdout.slice(said)).toMatch(/shut\nshut\n$/), 60_000)
    expect(await release()).toEqual({ failures: [] })
    expect(await under.traces()).toEqual([])
  })

  it('is ended when its firewall cannot be checked', async () => {
    const plan = planOf(under, { shell: 'sleep 60', fake: () => Promise.resolve() })
    const { running, release } = await launch(under.isolation, plan, new Recorder())
    const broken = vi.spyOn(Firewall.prototype, 'incomplete').mockRejectedValue(new Error('iptables has gone'))
    try {
      expect(await running.ended).toMatchObject({ kind: 'engine-lost', error: { message: 'iptables has gone' } })
    } finally {
      broken.mockRestore()
    }
    expect(await release()).toEqual({ failures: [] })
    expect(await under.traces()).toEqual([])
  })

  it('leaves no rule after one of its rules was flushed', async () => {
    const recorder = new Recorder()
    const plan = planOf(under, { shell: 'sleep 60', fake: () => Promise.resolve() })
    const { release } = await launch(under.isolation, plan, recorder)
    const bridge = bridgeOf(recorder)
    const ours = await rulesOf(bridge)
    expect(ours).toHaveLength(5)
    const gone = (ours[0] ?? '').replaceAll('"', '').replace('-A INPUT', '-D INPUT')
    await runProcess('iptables', ['-w', ...gone.split(' ')])
    expect(await release()).toEqual({ failures: [] })
    await under.isolation.sweep(new Set())
    expect(await rulesOf(bridge)).toEqual([])
  })
})
