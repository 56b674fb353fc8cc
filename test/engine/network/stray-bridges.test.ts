import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { runProcess } from '../../../base/run-process.js'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { bridgeName, networkLabels, networkName, type Owner } from '../../../isolation/host/ownership.js'
import { interfaceIndex } from '../../../isolation/network/bridge-traces.js'
import { removeNetwork } from '../../../isolation/network/remove-network.js'
import { StrayBridges } from '../../../isolation/network/stray-bridges.js'

/** Two looks one after the other are closer, on a busy host too. */
const STRAY_MS = 1_000

async function addLink(name: string, ...type: readonly string[]) {
  await runProcess('ip', ['link', 'add', name, 'type', ...type])
  onTestFinished(async () => void (await runProcess('ip', ['link', 'delete', name]).catch(() => undefined)))
}

it('a bridge that an Engine has left is removed at the second look, and none that anybody may still use', async () => {
  const engine = connectEngine()
  const owner: Owner = { nodeId: randomUUID(), installDirectory: '/nowhere' }
  const newName = () => bridgeName(owner, randomUUID())
  const [left, own, connected, another] = [newName(), newName(), newName(), newName()]
  for (const name of [left, own, connected]) await addLink(name, 'bridge')
  // Like the name of a bridge, and none.
  const port = `sdtest${randomUUID().slice(0, 8)}`
  await addLink(another, 'veth', 'peer', 'name', port)
  await runProcess('ip', ['link', 'set', port, 'master', connected])
  const network = randomUUID()
  onTestFinished(() => removeNetwork(engine, networkName(network)))
  await engine.createNetwork({
    ...{ Name: networkName(network), Driver: 'bridge', Internal: true, Labels: networkLabels(owner, network) },
    Options: { 'com.docker.network.bridge.name': bridgeName(owner, network) },
  })
  const bridges = { uses: (name: string) => name === own }
  const stray = new StrayBridges({ engine, owner, bridges, strayMs: STRAY_MS })
  const ofOther = new StrayBridges({
    ...{ engine, owner: { ...owner, nodeId: randomUUID() }, bridges, strayMs: STRAY_MS },
  })

  expect(await stray.remove(), 'an Engine may be about to list it').toEqual([])
  expect(await stray.remove(), 'not at once').toEqual([])
  await ofOther.remove()
  await delay(STRAY_MS)
  expect(await ofOther.remove()).toEqual([])
  expect(await stray.remove()).toEqual([left])
  expect(
    [left, own, connected, another, bridgeName(owner, network)].map((name) => interfaceIndex(name) !== undefined),
  ).toEqual([false, true, true, true, true])
  expect(await stray.remove()).toEqual([])
})

it('a bridge that cannot be removed does not keep the others, and is tried again', async () => {
  const owner: Owner = { nodeId: randomUUID(), installDirectory: '/nowhere' }
  const names = [1, 2, 3].map(() => bridgeName(owner, randomUUID()))
  for (const name of names) await addLink(name, 'bridge')
  let isBusy = true
  const tried: string[] = []
  const deleteBridge = async (name: string) => {
    tried.push(name)
    if (isBusy && name === tried[0]) throw new Error('Device or resource busy')
    await runProcess('ip', ['link', 'delete', name])
  }
  const bridges = { uses: () => false }
  const stray = new StrayBridges({ engine: connectEngine(), owner, bridges, strayMs: 0, deleteBridge })
  expect(await stray.remove(), 'at the first look').toEqual([])
  await expect(stray.remove()).rejects.toThrow('busy')
  expect([...tried].sort()).toEqual([...names].sort())
  expect(names.filter((name) => interfaceIndex(name) !== undefined)).toEqual([tried[0]])
  isBusy = false
  expect(await stray.remove()).toEqual([tried[0]])
})
