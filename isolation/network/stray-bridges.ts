import { readdirSync } from 'node:fs'
import type Docker from 'dockerode'
import { removeEach } from '../../base/remove-each.js'
import { runProcess } from '../../base/run-process.js'
import { askEngineForList } from '../engine/engine-lists.js'
import { bridgePrefix, type Owner } from '../host/ownership.js'
import { hasPorts, interfaceIndex, isBridge } from './bridge-traces.js'
import type { Bridges } from './bridges.js'

/** How long a bridge must have been without a network before it is removed, in milliseconds. */
const STRAY_MS = 10_000

export interface StrayBridgesParts {
  readonly engine: Docker
  readonly owner: Owner
  readonly bridges: Pick<Bridges, 'uses'>
  /** Default: see above. */
  readonly strayMs?: number
  /** Default: by ip(8). */
  readonly deleteBridge?: (name: string) => Promise<void>
}

async function deleteLink(name: string): Promise<void> {
  await runProcess('ip', ['link', 'delete', 'dev', name, 'type', 'bridge'])
}

/**
 * Bridges of this node that no network of the Engine has: an Engine that is killed while it makes a network has made the bridge
 * first, and knows nothing of it afterwards.
 *
 * The Engine lists a network only when it has made it. So a bridge is stray if two looks have found the same one, some time apart.
 */
export class StrayBridges {
  readonly #parts: StrayBridgesParts
  /** Since when, by name and index. */
  #found = new Map<string, number>()

  constructor(parts: StrayBridgesParts) {
    this.#parts = parts
  }

  /** Returns the names of those that it has removed. Throws the first failure, after the last removal. */
  async remove(): Promise<string[]> {
    const { strayMs = STRAY_MS, deleteBridge = deleteLink } = this.#parts
    const now = performance.now()
    const found = new Map<string, number>()
    const due: string[] = []
    for (const name of await this.#stray()) {
      const key = `${name} ${interfaceIndex(name)}`
      const since = this.#found.get(key) ?? now
      if (now - since >= strayMs && this.#found.has(key)) due.push(name)
      found.set(key, since)
    }
    this.#found = found
    await removeEach(due, deleteBridge)
    return due
  }

  /** Whoever is connected to one may still use it. */
  async #stray(): Promise<readonly string[]> {
    const { engine, owner, bridges } = this.#parts
    const ours = readdirSync('/sys/class/net').filter((name) => name.startsWith(bridgePrefix(owner)) && isBridge(name))
    if (ours.length === 0) return []
    const networks = await askEngineForList('list its networks', () => engine.listNetworks())
    const known = new Set(networks.map(({ Options }) => Options?.['com.docker.network.bridge.name']))
    return ours.filter((name) => !known.has(name) && !bridges.uses(name) && !hasPorts(name))
  }
}
