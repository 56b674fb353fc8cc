import { readFile } from 'node:fs/promises'
import type Docker from 'dockerode'
import { isUuid } from '../../base/identifiers.js'
import { Container } from '../engine/container.js'
import { EngineRefusal } from '../engine/engine-errors.js'
import { askEngineForList } from '../engine/engine-lists.js'
import { parseMountinfo } from '../engine/mountinfo.js'
import type { StagerCaches } from '../caches/stager-caches.js'
import type { SweepFailure, SweepReport } from '../isolation.js'
import { readDirectoryIfExists } from '../../base/read-directory.js'
import { removeEach } from '../../base/remove-each.js'
import { settleAll } from '../../base/settle-all.js'
import { unmount } from '../host/mounts.js'
import type { FirewallGuard } from '../network/firewall-guard.js'
import type { Networks } from '../network/networks.js'
import { removeNetwork } from '../network/remove-network.js'
import type { StrayBridges } from '../network/stray-bridges.js'
import { LAUNCH_LABEL, NETWORK_LABEL, NODE_LABEL, nodeComment, type Owner } from '../host/ownership.js'
import { launchesDirectory, removeScratch, scratchOf } from '../host/scratch.js'

/** How long to wait for a busy mount, in milliseconds. */
const UNMOUNT_DEADLINE_MS = 15_000

export interface SweeperParts {
  readonly engine: Docker
  readonly owner: Owner
  readonly stateDirectory: string
  readonly firewall: Pick<FirewallGuard, 'removeWhere'>
  readonly networks: Pick<Networks, 'userOf' | 'keeps' | 'removeKept'>
  readonly strayBridges: Pick<StrayBridges, 'remove'>
  readonly caches: Pick<StagerCaches, 'tidy'>
}

/**
 * Removes the leftovers of launches of this node. It inspects the host and not the state of this process, so it works
 * after any crash. As in the cleanup of a launch, containers come first, because they use everything else.
 */
export class Sweeper {
  constructor(private readonly parts: SweeperParts) {}

  /**
   * Throws `Unavailable` (`engine-down`) before anything else than containers is removed. A container that may be running
   * needs its firewall rules: of a launch whose container the Engine refuses to remove, nothing else is removed. All
   * failures are reported, and the next sweep tries again. Where nothing is live, networks that are kept for launches to
   * come are removed, too.
   */
  async sweep(live: ReadonlySet<string>, signal?: AbortSignal): Promise<SweepReport> {
    // `live` changes during the sweep. A launch that ends meanwhile does its own cleanup.
    const spared = new Set(live)
    const isDead = (launch: string) => {
      // Called for every resource that is found, before the first one of its kind is removed.
      signal?.throwIfAborted()
      return isUuid(launch) && !spared.has(launch) && !live.has(launch)
    }
    const removed: string[] = []
    const failures: SweepFailure[] = []
    const containers = await this.#containers(isDead, (network) => spared.add(network))
    for (const { launch, network, what, refusal } of containers)
      if (refusal === undefined) removed.push(what)
      else {
        spared.add(launch).add(network)
        failures.push({ what, error: refusal })
      }
    const { networks } = this.parts
    const isDeadNetwork = (network: string) => isDead(networks.userOf(network) ?? network) && !networks.keeps(network)
    const rest = {
      mounts: () => this.#mounts(isDead),
      'firewall rules': () => this.#rules(isDeadNetwork),
      networks: () => this.#networks(isDeadNetwork),
      'networks for launches to come': async () => {
        if (live.size === 0) await networks.removeKept()
        return []
      },
      bridges: async () => (await this.parts.strayBridges.remove()).map((name) => `bridge ${name} without a network`),
      scratch: () => this.#scratch(isDead),
      'caches of stagers': () => this.#caches(),
    }
    for (const [what, remove] of Object.entries(rest)) {
      try {
        removed.push(...(await remove()))
      } catch (error) {
        signal?.throwIfAborted()
        failures.push({ what, error })
      }
    }
    return { removed, failures }
  }

  /** @param spare called with the networks of containers that stay */
  async #containers(isDead: IsDead, spare: (network: string) => void): Promise<readonly SweptContainer[]> {
    const filters = { label: [`${NODE_LABEL}=${this.parts.owner.nodeId}`] }
    const found = await askEngineForList('list its containers', () =>
      this.parts.engine.listContainers({ all: true, filters }),
    )
    const ours = found.filter(({ Labels }) => this.#isOurs(Labels))
    const dead = ours.filter(({ Labels }) => isDead(Labels[LAUNCH_LABEL] ?? ''))
    for (const one of ours) if (!dead.includes(one)) spare(one.Labels[NETWORK_LABEL] ?? '')
    return await settleAll(
      dead.map(async ({ Id, Labels }) => {
        const launch = Labels[LAUNCH_LABEL] ?? ''
        const found = {
          launch,
          network: Labels[NETWORK_LABEL] ?? '',
          what: `container ${Id.slice(0, 12)} of ${launch}`,
        }
        try {
          await new Container(this.parts.engine, Id).remove()
          return found
        } catch (refusal) {
          if (refusal instanceof EngineRefusal) return { ...found, refusal }
          throw refusal
        }
      }),
    )
  }

  async #networks(isDead: IsDead): Promise<string[]> {
    const filters = { label: [`${NODE_LABEL}=${this.parts.owner.nodeId}`] }
    const found = await askEngineForList('list its networks', () => this.parts.engine.listNetworks({ filters }))
    // Earlier versions made one for each launch, with its label.
    const idOf = (labels: Readonly<Record<string, string>>) => labels[NETWORK_LABEL] ?? labels[LAUNCH_LABEL] ?? ''
    const dead = found.filter(({ Labels }) => this.#isOurs(Labels) && isDead(idOf(Labels)))
    await removeEach(dead, ({ Id }) => removeNetwork(this.parts.engine, Id))
    return dead.map(({ Name }) => `network ${Name}`)
  }

  /** An Engine that does not apply the filter of a list must not have the containers of other nodes removed. */
  #isOurs(labels: Readonly<Record<string, string>> | null | undefined): labels is Readonly<Record<string, string>> {
    return labels?.[NODE_LABEL] === this.parts.owner.nodeId
  }

  async #mounts(isDead: IsDead): Promise<string[]> {
    const launches = `${launchesDirectory(this.parts.stateDirectory)}/`
    const points = parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8')).map(({ mountPoint }) => mountPoint)
    const dead = points.filter(
      (point) => point.startsWith(launches) && isDead(point.slice(launches.length).split('/')[0] ?? ''),
    )
    // mountinfo lists mounts in the order of mounting, so an upper mount comes after a lower one.
    await removeEach(dead.reverse(), (point) => unmount(point, AbortSignal.timeout(UNMOUNT_DEADLINE_MS)))
    return dead.map((point) => `mount ${point}`)
  }

  async #rules(isDead: IsDead): Promise<string[]> {
    const prefix = nodeComment(this.parts.owner)
    const comments = await this.parts.firewall.removeWhere(
      (comment) => comment.startsWith(prefix) && isDead(comment.slice(prefix.length)),
    )
    return comments.map((comment) => `firewall rules ${comment}`)
  }

  async #scratch(isDead: IsDead): Promise<string[]> {
    const dead = (await readDirectoryIfExists(launchesDirectory(this.parts.stateDirectory))).filter(isDead)
    await removeEach(dead, (launch) => removeScratch(scratchOf(this.parts.stateDirectory, launch)))
    return dead.map((launch) => `scratch directory of ${launch}`)
  }

  /** Nothing is reported: layers that newer ones have replaced are no left-overs. */
  async #caches(): Promise<string[]> {
    await this.parts.caches.tidy()
    return []
  }
}

/** Of a launch, or of a network. */
type IsDead = (id: string) => boolean

interface SweptContainer {
  readonly launch: string
  /** Empty for none. */
  readonly network: string
  readonly what: string
  /** Why the Engine did not remove it. */
  readonly refusal?: EngineRefusal
}
