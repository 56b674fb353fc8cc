import type Docker from 'dockerode'
import { Unavailable } from '../../base/errors.js'
import { EngineRefusal, askEngine, askEngineToRemove } from '../engine/engine-errors.js'
import { askEngineForHints } from '../engine/engine-lists.js'
import { bridgeName, launchLabels, launchName, type Owner } from '../host/ownership.js'
import type { AddressPool, Subnet } from './address-pool.js'

/** The network of one launch. */
export interface Bridge {
  /** The name of the Docker network. */
  readonly network: string
  /** The bridge interface of the host. */
  readonly interface: string
  readonly subnet: Subnet
}

/** Creates and removes the networks of launches, each in a subnet of the pool. */
export class Bridges {
  readonly #subnets = new Map<string, Subnet>()

  constructor(
    private readonly engine: Docker,
    private readonly owner: Owner,
    private readonly pool: AddressPool,
  ) {}

  /**
   * Throws `Unavailable` (`no-free-network`, `engine-down`).
   *
   * @param internal without a route beyond the host
   */
  async create(launch: string, internal: boolean): Promise<Bridge> {
    for (let attempt = 0; ; attempt++) {
      const subnet = this.pool.allocate()
      if (!subnet || attempt > 16)
        throw new Unavailable(
          'no-free-network',
          `All ${this.pool.capacity} networks of the pool ${this.pool.block} are in use: wait for launches to end, or set a larger pool.`,
        )
      this.#subnets.set(launch, subnet)
      try {
        await askEngine('create a network', this.engine.createNetwork(this.#options(launch, subnet, internal)))
        return { network: launchName(launch), interface: bridgeName(launch), subnet }
      } catch (error) {
        if (!isOverlap(error)) throw error
        this.pool.release(subnet)
        this.pool.avoid(subnet.cidr)
        await this.#avoidForeignNetworks()
      }
    }
  }

  /** Idempotent; also succeeds if the network was never created. */
  async remove(launch: string): Promise<void> {
    const subnet = this.#subnets.get(launch)
    this.#subnets.delete(launch)
    try {
      await askEngineToRemove('remove a network', this.engine.getNetwork(launchName(launch)).remove())
    } finally {
      // If the network still exists, the Engine reports the overlap to the next launch that gets this subnet.
      if (subnet) this.pool.release(subnet)
    }
  }

  #options(launch: string, subnet: Subnet, internal: boolean): Docker.NetworkCreateOptions {
    return {
      Name: launchName(launch),
      Driver: 'bridge',
      Internal: internal,
      EnableIPv6: false,
      IPAM: { Driver: 'default', Config: [{ Subnet: subnet.cidr, Gateway: subnet.gateway }] },
      Options: { 'com.docker.network.bridge.name': bridgeName(launch) },
      Labels: launchLabels(this.owner, launch),
    }
  }

  /** Skips the networks of others all at once, instead of one by one in failed attempts. */
  async #avoidForeignNetworks(): Promise<void> {
    const networks = await askEngineForHints('list its networks', () => this.engine.listNetworks())
    const ours = new Set([...this.#subnets.values()].map(({ cidr }) => cidr))
    for (const { IPAM } of networks)
      for (const { Subnet: cidr } of IPAM?.Config ?? []) if (cidr && !ours.has(cidr)) this.pool.avoid(cidr)
  }
}

function isOverlap(error: unknown): boolean {
  return error instanceof EngineRefusal && /overlaps|conflicts with network/i.test(error.reason)
}
