import type Docker from 'dockerode'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it, vi } from 'vitest'
import { AddressPool } from '../../../isolation/network/address-pool.js'
import { Bridges } from '../../../isolation/network/bridges.js'
import type { FirewallEvents } from '../../../isolation/network/firewall-guard.js'
import type { FirewallPlan } from '../../../isolation/network/firewall-rules.js'
import { MAX_KEPT, Networks } from '../../../isolation/network/networks.js'

const OWNER = { nodeId: '00000000-0000-4000-8000-000000000000', installDirectory: '/opt/stagerd' }
const never = new AbortController().signal
const RULES = { coordinatorPort: 40_123, egress: false, published: false }
const QUIET: FirewallEvents = { restored: () => undefined, lost: () => undefined }
const INTERNAL = { internal: true }

/** A host with an Engine: bridges by name, each with a new index, and what a launch has left on them. */
function aHost({ kept = 60_000, left = 100, pool = '198.18.0.0/16' } = {}) {
  const there = new Map<string, number>()
  const connected = new Set<string>()
  const inUse = new Set<string>()
  const guarded = new Map<string, { plan: FirewallPlan; events: FirewallEvents }>()
  let [made, mtu] = [0, 1500]
  const nameOf = ({ Options }: Docker.NetworkCreateOptions) => Options?.['com.docker.network.bridge.name'] ?? ''
  const engine = {
    createNetwork: (options: Docker.NetworkCreateOptions) => {
      there.set(nameOf(options), ++made)
      return Promise.resolve({ id: String(made) })
    },
    getNetwork: (name: string) => ({
      remove: async () => {
        await delay(1)
        for (const bridge of there.keys()) if (name.endsWith(bridge.slice(-8))) there.delete(bridge)
      },
    }),
  } as unknown as Docker
  const networks = new Networks({
    owner: OWNER,
    bridges: new Bridges(engine, OWNER, new AddressPool(pool), () => mtu),
    guard: {
      add: (plan, events) => Promise.resolve(void guarded.set(plan.comment, { plan, events })),
      report: (comment, events) => {
        const one = guarded.get(comment)
        if (one) one.events = events
        return one !== undefined
      },
      remove: ({ comment }) => Promise.resolve(void guarded.delete(comment)),
    },
    host: {
      interfaceIndex: (name) => there.get(name),
      isDeserted: ({ interface: name }) => there.has(name) && !connected.has(name),
      addressesInUse: () => Promise.resolve(inUse),
    },
    times: { kept, look: 5, left },
  })
  let launches = 0
  const launch = async (how = INTERNAL) => {
    const network = networks.lease(`launch-${++launches}`, how)
    await network.open()
    await network.protect(RULES, QUIET, never)
    return network
  }
  return { networks, there, connected, inUse, guarded, launch, made: () => made, setMtu: (to: number) => (mtu = to) }
}

/** Until it has been looked several times at what is kept. */
const severalLooks = () => delay(60)

it('a network serves the next launch, with its rules, when nothing of the last one is left', async () => {
  const { launch, guarded, made } = aHost()
  const first = await launch()
  const { bridge } = first
  await first.giveBack(never)
  expect(guarded.size).toBe(1)
  await severalLooks()
  const second = await launch()
  expect(second.bridge).toEqual(bridge)
  expect([made(), guarded.size]).toEqual([1, 1])
})

it('launches at the same time never have the same network', async () => {
  const { launch } = aHost()
  for (let round = 0; round < 5; round++) {
    const at = await Promise.all(Array.from({ length: 6 }, () => launch()))
    expect(new Set(at.map(({ bridge }) => bridge.network)).size).toBe(6)
    await Promise.all(at.map((one) => one.giveBack(never)))
    // Some are clean by now.
    await delay(round * 3)
  }
})

it.each<[string, (host: ReturnType<typeof aHost>, bridge: string, gateway: string) => void]>([
  ['somebody is connected to it, or the host knows an address of it', ({ connected }, bridge) => connected.add(bridge)],
  ['a socket has its gateway as its address', ({ inUse }, _, gateway) => inUse.add(gateway)],
])('a network is not used again, but removed with its rules, while %s', async (_, leave) => {
  const host = aHost()
  const first = await host.launch()
  const { bridge } = first
  leave(host, bridge.interface, bridge.subnet.gateway)
  await first.giveBack(never)
  await severalLooks()
  const second = await host.launch()
  expect(second.bridge.network).not.toBe(bridge.network)
  await vi.waitFor(() => expect([...host.there.keys()]).toEqual([second.bridge.interface]), 10_000)
  expect([...host.guarded.values()].map(({ plan }) => plan.bridge)).toEqual([second.bridge.interface])
  expect(host.networks.keeps(bridge.network)).toBe(false)
})

it('a network is used when what was left has gone in time', async () => {
  const { launch, inUse } = aHost({ left: 60_000 })
  const first = await launch()
  const { bridge } = first
  inUse.add(bridge.subnet.gateway)
  await first.giveBack(never)
  await delay(20)
  inUse.clear()
  await severalLooks()
  expect((await launch()).bridge).toEqual(bridge)
})

it.each<[string, (host: ReturnType<typeof aHost>, bridge: string) => void]>([
  ['is gone', ({ there }, bridge) => there.delete(bridge)],
  ['was made again', ({ there }, bridge) => there.set(bridge, 4128)],
  ['has got a container of somebody', ({ connected }, bridge) => connected.add(bridge)],
  ['has another MTU than networks have now', ({ setMtu }) => setMtu(1400)],
])('a network that is kept is not used when its bridge %s', async (_, change) => {
  const host = aHost()
  const first = await host.launch()
  const { bridge } = first
  await first.giveBack(never)
  await severalLooks()
  change(host, bridge.interface)
  expect((await host.launch()).bridge.network).not.toBe(bridge.network)
})

it('a network whose rules cannot be restored is removed, also while nobody has it', async () => {
  const host = aHost()
  const first = await host.launch()
  const { bridge } = first
  await first.giveBack(never)
  await severalLooks()
  const [one] = host.guarded.values()
  one?.events.lost(new Error('no iptables'))
  expect((await host.launch()).bridge.network).not.toBe(bridge.network)
  await vi.waitFor(() => expect(host.there.has(bridge.interface)).toBe(false), 10_000)
  const second = await host.launch()
  // As the guard does for a container that runs.
  for (const [comment, { plan }] of host.guarded)
    if (plan.bridge === second.bridge.interface) host.guarded.delete(comment)
  await second.giveBack(never)
  expect(host.there.has(second.bridge.interface)).toBe(false)
})

it('a network that a launch has taken is not removed because the rules of before cannot be restored', async () => {
  const host = aHost()
  const first = await host.launch()
  await first.giveBack(never)
  await severalLooks()
  const second = host.networks.lease('second', INTERNAL)
  await second.open()
  expect(second.bridge).toEqual(first.bridge)
  const [one] = host.guarded.values()
  host.guarded.clear()
  one?.events.lost(new Error('no iptables'))
  await second.protect(RULES, QUIET, never)
  await severalLooks()
  expect([host.there.has(second.bridge.interface), host.guarded.size]).toEqual([true, 1])
})

it('a network with a way out serves one launch', async () => {
  const { launch, there, guarded } = aHost()
  const first = await launch({ internal: false })
  await first.giveBack(never)
  expect([there.size, guarded.size]).toEqual([0, 0])
})

it('a launch that opens its network in vain has it removed', async () => {
  const { networks, there } = aHost({ pool: '198.18.0.0/28' })
  const [one, other] = [networks.lease('one', INTERNAL), networks.lease('other', INTERNAL)]
  await one.open()
  await expect(other.open()).rejects.toMatchObject({ code: 'no-free-network' })
  await other.giveBack(never)
  await networks.lease('never opened', INTERNAL).giveBack(never)
  expect([...there.keys()]).toEqual([one.bridge.interface])
})

it('networks that are kept make way where the pool is exhausted', async () => {
  const { launch, there } = aHost({ pool: '198.18.0.0/28' })
  const first = await launch()
  await first.giveBack(never)
  await severalLooks()
  const second = await launch({ internal: false })
  expect([...there.keys()]).toEqual([second.bridge.interface])
})

it('a network that is being removed is waited for where the pool is exhausted', async () => {
  const { networks, launch, there } = aHost({ pool: '198.18.0.0/28' })
  const first = await launch()
  await first.giveBack(never)
  const removed = networks.removeKept()
  const second = await launch()
  await removed
  expect([...there.keys()]).toEqual([second.bridge.interface])
})

it('few networks are kept, and not for long', async () => {
  const host = aHost({ kept: 200 })
  const all = await Promise.all(Array.from({ length: MAX_KEPT + 3 }, () => host.launch()))
  await Promise.all(all.map((one) => one.giveBack(never)))
  expect([host.there.size, host.networks.kept]).toEqual([MAX_KEPT, MAX_KEPT])
  await vi.waitFor(() => expect([host.there.size, host.guarded.size]).toEqual([0, 0]), 10_000)
  expect(host.networks.kept).toBe(0)
})

it('removes all that no launch has when it is told to, and says so to a sweep', async () => {
  const { networks, launch, there } = aHost()
  const [one, other] = [await launch(), await launch()]
  expect([networks.userOf(one.bridge.network), networks.keeps(one.bridge.network)]).toEqual(['launch-1', false])
  await one.giveBack(never)
  expect([networks.userOf(one.bridge.network), networks.keeps(one.bridge.network)]).toEqual([undefined, true])
  await networks.removeKept()
  expect(networks.keeps(one.bridge.network)).toBe(false)
  expect([...there.keys()]).toEqual([other.bridge.interface])
  other.abandon()
  expect(networks.userOf(other.bridge.network)).toBeUndefined()
})
