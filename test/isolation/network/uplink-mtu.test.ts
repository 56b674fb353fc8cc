import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { networkMtu } from '../../../isolation/network/uplink-mtu.js'

const HEAD = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n'
const route = (
  name: string,
  { destination = '00000000', flags = '0003', metric = 0, mask = '00000000', mtu = 0 } = {},
) => [name, destination, '010200C0', flags, 0, 0, metric, mask, mtu, 0, 0].join('\t') + '\n'

/** A host with these routes and interfaces. */
async function host(routes: string, interfaces: Readonly<Record<string, number>>) {
  const root = await mkdtemp(join(tmpdir(), 'stagerd-host-'))
  onTestFinished(() => rm(root, { recursive: true }))
  await mkdir(join(root, 'proc/net'), { recursive: true })
  await writeFile(join(root, 'proc/net/route'), HEAD + routes)
  for (const [name, mtu] of Object.entries(interfaces)) {
    await mkdir(join(root, 'sys/class/net', name), { recursive: true })
    await writeFile(join(root, 'sys/class/net', name, 'mtu'), `${mtu}\n`)
  }
  return networkMtu('uplink', join(root, 'proc'), join(root, 'sys'))
}

it.each([
  ['a tunnel', { wg0: 1420 }, route('wg0'), 1420],
  ['jumbo frames', { eth0: 9000 }, route('eth0'), 9000],
  ['the route with the lowest metric', { eth0: 1500, wg0: 1420 }, route('eth0', { metric: 100 }) + route('wg0'), 1420],
  ['a limit of the route itself', { eth0: 1500 }, route('eth0', { mtu: 1450 }), 1450],
  ['not less than IPv6 needs', { ppp0: 576 }, route('ppp0'), 1280],
  ['not more than a packet can have', { eth0: 65_536 }, route('eth0'), 65_535],
  ['not a network beside it', { eth1: 1400 }, route('eth1', { destination: '000200C0', mask: '00FFFFFF' }), undefined],
  ['not a route that rejects', { lo: 65_536 }, route('lo', { flags: '0201' }), undefined],
  ['nothing without a default route', { eth0: 1400 }, '', undefined],
  ['nothing if the interface is gone', {}, route('eth0'), undefined],
])('networks take %s', async (_, interfaces, routes, expected) => {
  expect(await host(routes, interfaces)).toBe(expected)
})

it('a number of the settings is taken as it is', () => {
  expect(networkMtu(1300)).toBe(1300)
})
