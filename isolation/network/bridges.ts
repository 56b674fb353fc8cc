import type Docker from 'dockerode'
import { Unavailable } from '../../base/errors.js'
import { EngineRefusal, askEngine, askEngineToRemove } from '../engine/engine-errors.js'
import { bridgeName, launchLabels, launchName, type Owner } from '../host/ownership.js'
import type { AddressPool, Subnet } from './address-pool.js'

/** A network of a launch's own. */
export interface Bridge {
  /** Name of the Docker network. */
  readonly network: string
  /** The host's interface. */
  readonly interface: string
  readonly subnet: Subnet
}

/** Makes and removes the networks of launches, each in a piece of the pool. */
export class Bridges {
  readonly #subnets = new Map<string, Subnet>()

  constructor(
    private readonly engine: Docker,
    private readonly owner: Owner,
    private readonly pool: AddressPool,
  ) {}

  /**
   * @param internal without a way beyond the host
   * Throws `Unavailable` (`no-free-network`, `engine-down`).
   */
  async create(launch: string, internal: boolean): Promise<Bridge> {
    for (let attempt = 0; ; attempt++) {
      const subnet = this.pool.allocate()
      if (!subnet || attempt > 16)
        throw new Unavailable(
          'no-free-network',
          `None of the ${this.pool.capacity} networks of the pool ${this.pool.block} is free: wait for launches to end, or set a larger pool.`,
        )
      this.#subnets.set(launch, subnet)
      try {
        await askEngine('create a network', this.engine.createNetwork(this.#options(launch, subnet, internal)))
        return { network: launchName(launch), interface: bridgeName(launch), subnet }
      } catch (error) {
        if (!isOverlap(error)) throw error
        this.pool.release(subnet)
        this.pool.avoid(subnet.cidr)
        await this.#avoidStrangers()
      }
    }
  }

  /** Also right when it was never created. */
  async remove(launch: string): Promise<void> {
    const subnet = this.#subnets.get(launch)
    this.#subnets.delete(launch)
    try {
      await askEngineToRemove('remove a network', this.engine.getNetwork(launchName(launch)).remove())
    } finally {
      // If the network is still there, the Engine tells the next one who gets this piece.
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

  /** One look at what there is saves an attempt for each stranger's network. */
  async #avoidStrangers(): Promise<void> {
    const networks = await askEngine('list its networks', this.engine.listNetworks())
    const ours = new Set([...this.#subnets.values()].map(({ cidr }) => cidr))
    for (const { IPAM } of networks)
      for (const { Subnet: cidr } of IPAM?.Config ?? []) if (cidr && !ours.has(cidr)) this.pool.avoid(cidr)
  }
}

function isOverlap(error: unknown): boolean {
  return error instanceof EngineRefusal && /overlaps|conflicts with network/i.test(error.reason)
}
