import type Docker from 'dockerode'
import { Unavailable } from '../../base/errors.js'
import { EngineRefusal, understood } from '../engine/engine-errors.js'
import { askEngineForHints } from '../engine/engine-lists.js'
import { askEngineToWork } from '../engine/engine-work.js'
import { bridgeName, networkLabels, networkName, type Owner } from '../host/ownership.js'
import type { AddressPool, Subnet } from './address-pool.js'
import { removeNetwork } from './remove-network.js'

export interface Bridge {
  /** UUID. Name and labels of the Docker network follow from it. */
  readonly network: string
  /** The bridge interface of the host. */
  readonly interface: string
  readonly subnet: Subnet
  /** Undefined for the default of the Engine. */
  readonly mtu: number | undefined
}

/** How many subnets a network tries. All networks that exist are skipped after the first, so more attempts seldom help. */
const MAX_ATTEMPTS = 16

/**
 * Creates and removes networks for launches, each in a subnet of the pool.
 *
 * INVARIANT. A network holds at most one subnet: it has given back one that overlaps before it takes another.
 */
export class Bridges {
  readonly #subnets = new Map<string, Subnet>()

  constructor(
    private readonly engine: Docker,
    private readonly owner: Owner,
    private readonly pool: AddressPool,
    /** The MTU that a network is to have now; undefined for the default of the Engine. */
    readonly mtu: () => number | undefined = () => undefined,
  ) {}

  /**
   * Throws `Unavailable` (`no-free-network`, `engine-down`). The caller calls `remove` in any case.
   *
   * @param network a new UUID
   * @param internal without a route beyond the host
   */
  async create(network: string, internal: boolean): Promise<Bridge> {
    const mtu = this.mtu()
    for (let attempt = 1; ; attempt++) {
      const subnet = this.#allocate()
      this.#subnets.set(network, subnet)
      try {
        const creation = this.engine.createNetwork(this.#options(network, subnet, internal, mtu))
        const made = await askEngineToWork(this.engine, 'create a network', creation)
        understood('create a network', { id: made.id }, ({ id }) => typeof id === 'string' && id !== '')
        return { network, interface: bridgeName(this.owner, network), subnet, mtu }
      } catch (error) {
        // After any other error the network may exist: `remove` gives the subnet back.
        if (!isOverlap(error)) throw error
        this.#release(network)
        this.pool.avoid(subnet.cidr)
        if (attempt === MAX_ATTEMPTS) throw this.#alwaysOverlaps(error)
      }
      await this.#avoidForeignNetworks()
    }
  }

  /** Whether a bridge is that of a network which this process has made, or is making, and has not removed. */
  uses(bridge: string): boolean {
    return [...this.#subnets.keys()].some((network) => bridgeName(this.owner, network) === bridge)
  }

  /** Idempotent; also succeeds if the network was never created. */
  async remove(network: string): Promise<void> {
    try {
      await removeNetwork(this.engine, networkName(network))
    } finally {
      // If the network still exists, the Engine reports the overlap to the next one that gets this subnet.
      this.#release(network)
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

  #release(network: string): void {
    const subnet = this.#subnets.get(network)
    this.#subnets.delete(network)
    if (subnet) this.pool.release(subnet)
  }

  #alwaysOverlaps(cause: unknown): Unavailable {
    return new Unavailable(
      'no-free-network',
      `${MAX_ATTEMPTS} networks of the pool ${this.pool.block} overlap networks of others: set another pool with --bridge-pool.`,
      { cause },
    )
  }

  #options(network: string, subnet: Subnet, internal: boolean, mtu: number | undefined): Docker.NetworkCreateOptions {
    return {
      Name: networkName(network),
      Driver: 'bridge',
      Internal: internal,
      EnableIPv6: false,
      IPAM: { Driver: 'default', Config: [{ Subnet: subnet.cidr, Gateway: subnet.gateway }] },
      Options: {
        'com.docker.network.bridge.name': bridgeName(this.owner, network),
        ...(mtu === undefined ? {} : { 'com.docker.network.driver.mtu': String(mtu) }),
      },
      Labels: networkLabels(this.owner, network),
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
