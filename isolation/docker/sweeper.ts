import { readFile } from 'node:fs/promises'
import type Docker from 'dockerode'
import { isUuid } from '../../base/identifiers.js'
import { Container } from '../engine/container.js'
import { askEngineToRemove } from '../engine/engine-errors.js'
import { askEngineForList } from '../engine/engine-lists.js'
import { parseMountinfo } from '../engine/mountinfo.js'
import type { StagerCaches } from '../caches/stager-caches.js'
import type { SweepFailure, SweepReport } from '../isolation.js'
import { readDirectoryIfExists } from '../../base/read-directory.js'
import { unmount } from '../host/mounts.js'
import type { FirewallGuard } from '../network/firewall-guard.js'
import { LAUNCH_LABEL, NODE_LABEL, nodeComment, type Owner } from '../host/ownership.js'
import { launchesDirectory, removeScratch, scratchOf } from '../host/scratch.js'

/** How long to wait for a busy mount, in milliseconds. */
const UNMOUNT_DEADLINE_MS = 15_000

export interface SweeperParts {
  readonly engine: Docker
  readonly owner: Owner
  readonly stateDirectory: string
  readonly firewall: Pick<FirewallGuard, 'removeWhere'>
  readonly caches: Pick<StagerCaches, 'tidy'>
}

/**
 * Removes the leftovers of launches of this node. It inspects the host and not the state of this process, so it works
 * after any crash. As in the cleanup of a launch, containers come first, because they use everything else.
 */
export class Sweeper {
  constructor(private readonly parts: SweeperParts) {}

  /**
   * Throws `Unavailable` (`engine-down`) before anything is removed, because a container that may be running needs its
   * firewall rules. After the containers have been removed, other leftovers are harmless: failures are reported, and
   * the next sweep tries again.
   */
  async sweep(live: ReadonlySet<string>, signal?: AbortSignal): Promise<SweepReport> {
    // `live` changes during the sweep. A launch that ends meanwhile does its own cleanup.
    const liveBefore = new Set(live)
    const isDead = (launch: string) => {
      // Called for every resource that is found, before the first one of its kind is removed.
      signal?.throwIfAborted()
      return isUuid(launch) && !liveBefore.has(launch) && !live.has(launch)
    }
    const removed = await this.#containers(isDead)
    const failures: SweepFailure[] = []
    const rest = {
      mounts: this.#mounts,
      'firewall rules': this.#rules,
      networks: this.#networks,
      scratch: this.#scratch,
      'caches of stagers': this.#caches,
    }
    for (const [what, remove] of Object.entries(rest)) {
      try {
        removed.push(...(await remove.call(this, isDead)))
      } catch (error) {
        signal?.throwIfAborted()
        failures.push({ what, error })
      }
    }
    return { removed, failures }
  }

  async #containers(isDead: IsDead): Promise<string[]> {
    const filters = { label: [`${NODE_LABEL}=${this.parts.owner.nodeId}`] }
    const found = await askEngineForList('list its containers', () =>
      this.parts.engine.listContainers({ all: true, filters }),
    )
    const dead = found.filter(({ Labels }) => isDead(Labels[LAUNCH_LABEL] ?? ''))
    await Promise.all(dead.map(({ Id }) => new Container(this.parts.engine, Id).remove()))
    return dead.map(({ Id, Labels }) => `container ${Id.slice(0, 12)} of ${Labels[LAUNCH_LABEL] ?? ''}`)
  }

  async #networks(isDead: IsDead): Promise<string[]> {
    const filters = { label: [`${NODE_LABEL}=${this.parts.owner.nodeId}`] }
    const found = await askEngineForList('list its networks', () => this.parts.engine.listNetworks({ filters }))
    const dead = found.filter(({ Labels }) => isDead(Labels?.[LAUNCH_LABEL] ?? ''))
    const failed: unknown[] = []
    for (const { Id } of dead) {
      const removal = this.parts.engine.getNetwork(Id).remove() as Promise<unknown>
      // Somebody may have connected a container of their own to it. The others are removed all the same.
      await askEngineToRemove('remove a network', removal).catch((error: unknown) => failed.push(error))
    }
    if (failed.length > 0) throw failed[0]
    return dead.map(({ Name }) => `network ${Name}`)
  }

  async #mounts(isDead: IsDead): Promise<string[]> {
    const launches = `${launchesDirectory(this.parts.stateDirectory)}/`
    const points = parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8')).map(({ mountPoint }) => mountPoint)
    const dead = points.filter(
      (point) => point.startsWith(launches) && isDead(point.slice(launches.length).split('/')[0] ?? ''),
    )
    // mountinfo lists mounts in the order of mounting, so an upper mount comes after a lower one.
    for (const point of dead.reverse()) await unmount(point, AbortSignal.timeout(UNMOUNT_DEADLINE_MS))
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
    for (const launch of dead) await removeScratch(scratchOf(this.parts.stateDirectory, launch))
    return dead.map((launch) => `scratch directory of ${launch}`)
  }

  /** Nothing is reported: layers that newer ones have replaced are no left-overs. */
  async #caches(): Promise<string[]> {
    await this.parts.caches.tidy()
    return []
  }
}

type IsDead = (launch: string) => boolean
