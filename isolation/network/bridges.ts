import type Docker from 'dockerode'
import { Unavailable } from '../../base/errors.js'
import { EngineRefusal, understood } from '../engine/engine-errors.js'
import { askEngineForHints } from '../engine/engine-lists.js'
import { askEngineToWork } from '../engine/engine-work.js'
import { bridgeName, launchLabels, launchName, type Owner } from '../host/ownership.js'
import type { AddressPool, Subnet } from './address-pool.js'
import { removeNetwork } from './remove-network.js'

/** The network of one launch. */
export interface Bridge {
  /** The name of the Docker network. */
  readonly network: string
  /** The bridge interface of the host. */
  readonly interface: string
  readonly subnet: Subnet
}

/** How many subnets a launch tries. All networks that exist are skipped after the first, so more attempts seldom help. */
const MAX_ATTEMPTS = 16

/**
 * Creates and removes the networks of launches, each in a subnet of the pool.
 *
 * INVARIANT. A launch holds at most one subnet: it has given back one that overlaps before it takes another.
 */
export class Bridges {
  readonly #subnets = new Map<string, Subnet>()

  constructor(
    private readonly engine: Docker,
    private readonly owner: Owner,
    private readonly pool: AddressPool,
    /** The MTU of a network; undefined for the default of the Engine. */
    private readonly mtu: () => number | undefined = () => undefined,
  ) {}

  /**
   * Throws `Unavailable` (`no-free-network`, `engine-down`). The caller calls `remove` in any case.
   *
   * @param internal without a route beyond the host
   */
  async create(launch: string, internal: boolean): Promise<Bridge> {
    const mtu = this.mtu()
    for (let attempt = 1; ; attempt++) {
      const subnet = this.#allocate()
      this.#subnets.set(launch, subnet)
      try {
        const creation = this.engine.createNetwork(this.#options(launch, subnet, internal, mtu))
        const made = await askEngineToWork(this.engine, 'create a network', creation)
        understood('create a network', { id: made.id }, ({ id }) => typeof id === 'string' && id !== '')
        return { network: launchName(launch), interface: bridgeName(launch), subnet }
      } catch (error) {
        // After any other error the network may exist: `remove` gives the subnet back.
        if (!isOverlap(error)) throw error
        this.#release(launch)
        this.pool.avoid(subnet.cidr)
        if (attempt === MAX_ATTEMPTS) throw this.#alwaysOverlaps(error)
      }
      await this.#avoidForeignNetworks()
    }
  }

  /** Idempotent; also succeeds if the network was never created. */
  async remove(launch: string): Promise<void> {
    try {
      await removeNetwork(this.engine, launchName(launch))
    } finally {
      // If the network still exists, the Engine reports the overlap to the next launch that gets this subnet.
      this.#release(launch)
    }
  }

  #allocate(): Subnet {
    const subnet = this.pool.allocate()
    if (subnet) return subnet
    throw new Unavailable(
      'no-free-network',
      `All ${this.pool.capacity} networks of the pool ${this.pool.block} are in use: wait for launches to end, or set a larger pool.`,
    )
  }

  #release(launch: string): void {
    const subnet = this.#subnets.get(launch)
    this.#subnets.delete(launch)
    if (subnet) this.pool.release(subnet)
  }

  #alwaysOverlaps(cause: unknown): Unavailable {
    return new Unavailable(
      'no-free-network',
      `${MAX_ATTEMPTS} networks of the pool ${this.pool.block} overlap networks of others: set another pool with --bridge-pool.`,
      { cause },
    )
  }

  #options(launch: string, subnet: Subnet, internal: boolean, mtu: number | undefined): Docker.NetworkCreateOptions {
    return {
      Name: launchName(launch),
      Driver: 'bridge',
      Internal: internal,
      EnableIPv6: false,
      IPAM: { Driver: 'default', Config: [{ Subnet: subnet.cidr, Gateway: subnet.gateway }] },
      Options: {
        'com.docker.network.bridge.name': bridgeName(launch),
        ...(mtu === undefined ? {} : { 'com.docker.network.driver.mtu': String(mtu) }),
      },
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
