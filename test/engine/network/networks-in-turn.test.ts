import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { runProcess } from '../../../base/run-process.js'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { NETWORK_LABEL } from '../../../isolation/host/ownership.js'
import { addressesInUse } from '../../../isolation/network/bridge-traces.js'
import { launch, planOf, Recorder, type WholePlan } from '../../contract/isolation-under-test.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'

const nothing = { shell: 'true', fake: () => Promise.resolve() }
/** Posts to its coordinator, which is a service of the host in these tests. */
const POST = { shell: 'wget -q -O - --post-data= "$STAGER_URL/done"', fake: () => Promise.resolve() }
const never = new AbortController().signal

/** For the looks at what a launch has left. */
const soon = () => delay(1_500)

describe('a network without a way out', () => {
  let under: DockerIsolationUnderTest
  beforeAll(async () => {
    under = await dockerIsolation()
  })
  afterEach(async () => {
    await under.isolation.sweep(new Set())
    await under.expectNothingLeft()
  })
  afterAll(() => under.close())

  /** @returns the address of the coordinator, and what the program has printed */
  async function launched(plan: WholePlan = planOf(under, POST)) {
    const recorder = new Recorder()
    const { running, release } = await launch(under.isolation, plan, recorder)
    expect(await running.ended).toMatchObject({ kind: 'exited', exitCode: 0 })
    expect(await release()).toEqual({ failures: [] })
    return { address: recorder.address, stdout: recorder.stdout, asked: recorder.asked }
  }
  const ruled = async (address: string) => {
    const bridge = await bridgeOf(address)
    const { stdout } = await runProcess('iptables-save', ['-t', 'filter'])
    return stdout.split('\n').filter((line) => line.includes(`${bridge.slice(-8)}" -j`))
  }

  it('serves launches one after the other, and each reaches its coordinator', async () => {
    const first = await launched()
    await soon()
    const second = await launched()
    expect(second.address).toBe(first.address)
    expect([first.asked, second.asked]).toEqual([['POST /launch/done'], ['POST /launch/done']])
    expect(second.stdout).toBe('OK')
  })

  it('serves one that has a way out never', async () => {
    const { address } = await launched()
    await soon()
    const out = await launched({ ...planOf(under, POST), egress: true })
    expect(out.address).not.toBe(address)
    await soon()
    expect((await launched({ ...planOf(under, POST), egress: true })).address).not.toBe(out.address)
  })

  it('serves nobody while the host still sends what it had for the last launch', async () => {
    const sockets: Socket[] = []
    const secret = Buffer.alloc(2 ** 23, 'the package of another staging\n')
    const server = createServer((socket) => {
      sockets.push(socket.on('error', () => undefined))
      socket.write(secret)
    })
    // It sends nothing: with something that it has not read, the host resets a connection at once.
    const shell = 'at=${STAGER_URL#http://}; sleep 60 | nc ${at%:*} ${at#*:} | sleep 61'
    const plan = planOf(under, { ...nothing, shell })
    const container = await under.isolation.prepare(plan, {}, never)
    const { address } = container
    await once(server.listen(0, address), 'listening')
    const { port } = server.address() as AddressInfo
    const environment = { STAGER_URL: `http://${address}:${port}` }
    await container.start({ ...plan, environment, coordinatorPort: port }, new Recorder(), never)
    await vi.waitFor(() => expect(sockets).toHaveLength(1), 60_000)
    // Nobody in the container reads, and the host does not hear that its end of the connection is closed.
    await delay(500)
    for (const link of await readdir(`/sys/class/net/${await bridgeOf(address)}/brif`))
      await runProcess('ip', ['link', 'set', link, 'down'])
    expect(await container.release()).toEqual({ failures: [] })
    for (const socket of sockets) socket.destroy()
    server.close()
    await soon()
    expect((await addressesInUse()).has(address)).toBe(true)
    expect((await launched()).address).not.toBe(address)
  })

  it('serves nobody while its listener is open, and then the next launch', async () => {
    const container = await under.isolation.prepare(planOf(under, nothing), {}, never)
    const { address } = container
    const server = createServer().listen(0, address)
    await once(server, 'listening')
    await container.release()
    await soon()
    const other = await launched()
    expect(other.address).not.toBe(address)
    server.close()
    await soon()
    const served = await Promise.all([launched(), launched()])
    expect(served.map((one) => one.address).sort()).toEqual([address, other.address].sort())
  })

  it('serves nobody any more when somebody has connected a container, or has removed it', async () => {
    const engine = connectEngine()
    const networkAt = async () => {
      const [found] = await engine.listNetworks({ filters: { label: [`io.stagerd.node=${under.nodeId}`] } })
      expect(found?.Labels).toHaveProperty(NETWORK_LABEL)
      return engine.getNetwork(found?.Id ?? '')
    }
    const { address } = await launched()
    await soon()
    const stranger = `sdx${under.nodeId.slice(0, 8)}`
    await runProcess('ip', ['link', 'add', stranger, 'type', 'veth', 'peer', 'name', `${stranger}p`])
    try {
      await runProcess('ip', ['link', 'set', stranger, 'master', await bridgeOf(address)])
      const second = await launched()
      expect(second.address).not.toBe(address)
    } finally {
      await runProcess('ip', ['link', 'delete', stranger])
    }
    await under.isolation.sweep(new Set())
    const third = await launched()
    await soon()
    await (await networkAt()).remove()
    expect((await launched()).address).not.toBe(third.address)
  })

  it('has its firewall rules restored while nobody is in it', async () => {
    const { address } = await launched()
    const before = await ruled(address)
    expect(before).toHaveLength(5)
    await vi.waitFor(async () => {
      const input = ['*filter', ...before.map((rule) => rule.replace('-A', '-D')), 'COMMIT', ''].join('\n')
      await runProcess('iptables-restore', ['--noflush', '-w'], { input })
    }, 60_000)
    await vi.waitFor(async () => expect(await ruled(address)).toEqual(before), 20_000)
  })

  it('is removed with its rules by a sweep while nothing is live, and left by others', async () => {
    const { address } = await launched()
    const bridge = await bridgeOf(address)
    expect((await under.isolation.sweep(new Set(['somebody']))).removed).toEqual([])
    expect(await readdir('/sys/class/net')).toContain(bridge)
    await under.isolation.sweep(new Set())
    expect(await readdir('/sys/class/net')).not.toContain(bridge)
    const { stdout } = await runProcess('iptables-save', ['-t', 'filter'])
    expect(stdout).not.toContain(bridge.slice(-8))
  })

  it('is removed by the first sweep of the next process', async () => {
    const { address } = await launched()
    const next = await under.restarted()
    expect((await next.sweep(new Set())).removed).toEqual([
      expect.stringMatching(/^firewall rules stagerd:/),
      expect.stringMatching(/^network stagerd-network-/),
    ])
    expect((await launched()).address).not.toBe(address)
  })
})

/** Also one without a carrier, as an empty bridge is. */
async function bridgeOf(address: string): Promise<string> {
  const { stdout } = await runProcess('ip', ['-o', '-4', 'address', 'show', 'to', address])
  const [, name] = /^\d+: (\S+)/.exec(stdout) ?? []
  if (name === undefined) throw new Error(`no interface has ${address}`)
  return name
}
