import { setTimeout as delay } from 'node:timers/promises'
import type { Staging } from '../../../daemon/documents/staging.js'
import type { Fleet } from './fleet.js'
import type { FleetNode } from './fleet-node.js'
import { until } from './private-daemon.js'

/** How long a node of the fleet may be silent before others go on with its stagings. */
export const LEASE_MS = 3_000

type Fault = (fleet: Fleet) => Promise<void>

/** The first node stands still for longer than its lease lasts, and then goes on as if nothing had happened. */
const standStill: Fault = async ({ nodes }) => {
  process.kill(nodes[0]!.daemon.pid, 'SIGSTOP')
  await delay(1.5 * LEASE_MS)
  process.kill(nodes[0]!.daemon.pid, 'SIGCONT')
}

/** What goes wrong, one after the other, while stagings run. */
export const FAULTS: readonly Fault[] = [
  // A node dies, and is back when others have gone on with what it ran: what it has left on its host is removed.
  async ({ nodes }) => {
    const node = nodes[1]!
    const left = await diesAtWork(node)
    await delay(1.5 * LEASE_MS)
    await node.restart()
    await until('what a dead node has left is removed', async () => {
      const now = await node.leftovers()
      return left.every((line) => !now.includes(line))
    })
  },
  async ({ database }) => {
    await database.kill()
    await delay(1_000)
    await database.resume()
  },
  async ({ blobs }) => {
    await blobs.kill()
    await delay(1_000)
    await blobs.start()
  },
  standStill,
  // A node is cut off for longer than its lease lasts.
  async ({ nodes }) => {
    await nodes[2]!.cut()
    await delay(2 * LEASE_MS)
    await nodes[2]!.mend()
  },
]

/** In addition, where there is time for it. */
export const MORE_FAULTS: readonly Fault[] = [
  // It stands still while no other node takes anything: nobody owns what it runs when it goes on.
  async (fleet) => {
    const [first, ...others] = fleet.nodes.map(({ daemon }) => daemon)
    const all = async (what: 'drain' | 'undrain') => {
      for (const daemon of others) await daemon.ask('POST', `/v1/node/${what}`)
    }
    await all('drain')
    await until('a staging runs at the first node', async () =>
      (await first!.ask<Staging[]>('GET', '/v1/stagings?state=running')).some(({ node }) => node?.name === 'node-0'),
    )
    await standStill(fleet)
    await delay(2 * LEASE_MS)
    await all('undrain')
  },
]

/** What each kind of leftover of a launch begins with. */
const KINDS = ['container', 'network', 'link', 'mount', '-A', 'scratch']

/** Kills a node while it has launches. @returns what it has left of them */
async function diesAtWork(node: FleetNode): Promise<readonly string[]> {
  let left: readonly string[] = []
  await until('a node has launches', async () => {
    process.kill(node.daemon.pid, 'SIGSTOP')
    left = await node.leftovers()
    const isAtWork = KINDS.every((kind) => left.some((line) => line.startsWith(kind)))
    if (!isAtWork) process.kill(node.daemon.pid, 'SIGCONT')
    return isAtWork
  })
  await node.kill()
  return left
}
