import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { StagerdError } from '../../base/errors.js'
import { Mutex } from '../../base/mutex.js'
import { settleAll } from '../../base/settle-all.js'
import { networkComment, type Owner } from '../host/ownership.js'
import * as traces from './bridge-traces.js'
import type { Bridge, Bridges } from './bridges.js'
import type { FirewallEvents, FirewallGuard } from './firewall-guard.js'
import type { FirewallPlan } from './firewall-rules.js'

/** How many networks are kept for launches to come. */
export const MAX_KEPT = 8

/** For how long, in milliseconds. */
const KEPT_MS = 30_000

/** The interval of the looks at what the last launch has left on a network, in milliseconds. */
const LOOK_MS = 250

/** After how many milliseconds a network on which something is left is removed. */
const LEFT_MS = 10_000

/** What the rules of a network let through depends on its container. */
export type NetworkRules = Omit<FirewallPlan, 'bridge' | 'gateway' | 'comment'>

/** The network of one launch or run, until it gives it back. */
export interface LeasedNetwork {
  /** To be read after `open`. */
  readonly bridge: Bridge
  /** Throws what `Bridges.create` throws. To be called at most once. */
  open(): Promise<void>
  /** Sets the firewall rules, unless they are in force already. Throws `Fault` (`firewall-failed`). */
  protect(rules: NetworkRules, events: FirewallEvents, signal: AbortSignal): Promise<void>
  /**
   * To be called when its container is gone, whatever has failed before. Resolves when the network is removed with its rules, or
   * is kept. Throws what could not be removed.
   */
  giveBack(deadline: AbortSignal): Promise<void>
  /** In place of `giveBack`, where the container may still be there: network and rules are left to a sweep. */
  abandon(): void
}

export interface NetworksParts {
  readonly owner: Owner
  readonly bridges: Bridges
  readonly guard: Pick<FirewallGuard, 'add' | 'report' | 'remove'>
  /** Default: what the kernel says. */
  readonly host?: Pick<typeof traces, 'interfaceIndex' | 'isDeserted' | 'addressesInUse'>
  /** In milliseconds: see the constants above. */
  readonly times?: { readonly kept: number; readonly look: number; readonly left: number }
}

/** A network that no launch has. */
interface Kept {
  readonly network: Network
  readonly since: number
  /** That nothing is left on it of the last launch. */
  isClean: boolean
  /** Ends with its time. */
  timer?: NodeJS.Timeout
}

/**
 * The networks of launches. One without a way out serves several launches, one after the other: the Engine takes longer to make
 * and to remove a network than for everything else of a launch, and makes one at a time. The rules of its firewall stay with
 * it.
 *
 * INVARIANTS
 * - A network has at most one container at a time.
 * - A launch gets a network that was used only if it is the same bridge still, and nothing of the last launch is left:
 *   nobody is connected to it, the host knows no hardware address of it, and no socket of the host has its gateway as its
 *   address. A network on which something stays is removed.
 * - A network with a way out, or with published ports, serves one launch: others may go on to send to its addresses.
 * - The rules are in force from before the first container until after the last.
 */
export class Networks {
  readonly #parts: Required<NetworksParts>
  /** Launches, by network. */
  readonly #users = new Map<string, string>()
  /** The latest last. */
  readonly #kept = new Set<Kept>()
  /** Networks that are being removed. */
  readonly #leaving = new Map<string, Promise<void>>()
  readonly #oneRemoval = new Mutex()
  #isLooking = false

  constructor(parts: NetworksParts) {
    this.#parts = { host: traces, times: { kept: KEPT_MS, look: LOOK_MS, left: LEFT_MS }, ...parts }
  }

  /**
   * @param launch its UUID
   * @param internal without a route beyond the host
   */
  lease(launch: string, { internal }: { readonly internal: boolean }): LeasedNetwork {
    let network: Network | undefined
    const opened = () => {
      if (!network) throw new Error('the network is not open')
      return network
    }
    const { guard } = this.#parts
    return {
      get bridge() {
        return opened().bridge
      },
      open: async () => {
        const made = (internal ? this.#takeKept() : undefined) ?? new Network(this.#parts, internal)
        network = made
        this.#users.set(made.id, launch)
        if (made.isOpen) return
        await this.#withRoom(() => made.create())
      },
      protect: async (rules, events, signal) => {
        const { bridge, comment } = opened()
        const plan = { ...rules, bridge: bridge.interface, gateway: bridge.subnet.gateway, comment }
        await guard.add(plan, events, signal)
        opened().isProtected = true
      },
      giveBack: async (deadline) => {
        if (!network || !this.#users.delete(network.id)) return
        if (!this.#keep(network)) await this.#remove(network, deadline)
      },
      abandon: () => {
        if (network) this.#users.delete(network.id)
      },
    }
  }

  /** The launch or run that has this network. */
  userOf(network: string): string | undefined {
    return this.#users.get(network)
  }

  /** How many are kept for launches to come. */
  get kept(): number {
    return this.#kept.size
  }

  /** Whether it is kept for launches to come, or is being removed. */
  keeps(network: string): boolean {
    return this.#leaving.has(network) || [...this.#kept].some((kept) => kept.network.id === network)
  }

  /** Removes all that no launch has. Throws what could not be removed; that is left to a sweep. */
  async removeKept(): Promise<void> {
    const kept = [...this.#kept]
    for (const one of kept) this.#forget(one)
    await settleAll([...kept.map(({ network }) => this.#remove(network)), ...this.#leaving.values()])
  }

  #takeKept(): Network | undefined {
    for (const kept of [...this.#kept].reverse()) {
      const { network, isClean } = kept
      if (!isClean || network.bridge.mtu !== this.#parts.bridges.mtu()) continue
      this.#forget(kept)
      if (network.isIntact && this.#parts.host.isDeserted(network.bridge)) return network
      this.#removeSoon(network)
    }
    return undefined
  }

  #keep(network: Network): boolean {
    if (!network.isIntact || this.#kept.size >= MAX_KEPT) return false
    const lose = () => {
      // A launch has it, which sets the rules anew before its container is there.
      if (!this.#kept.has(kept)) return
      this.#forget(kept)
      this.#removeSoon(network)
    }
    if (network.isProtected && !this.#parts.guard.report(network.comment, { restored: () => undefined, lost: lose }))
      return false
    const kept: Kept = { network, since: performance.now(), isClean: false }
    this.#kept.add(kept)
    if (!this.#isLooking) void this.#keepLooking()
    return true
  }

  #forget(kept: Kept): void {
    clearTimeout(kept.timer)
    this.#kept.delete(kept)
  }

  /** Never rejects. */
  async #keepLooking(): Promise<void> {
    this.#isLooking = true
    for (;;) {
      await delay(this.#parts.times.look, undefined, { ref: false })
      const unclean = [...this.#kept].filter(({ isClean }) => !isClean)
      if (unclean.length === 0) break
      await this.#look(unclean)
    }
    this.#isLooking = false
  }

  /** Never rejects. */
  async #look(unclean: readonly Kept[]): Promise<void> {
    const { host, times } = this.#parts
    const deserted = unclean.filter(({ network }) => host.isDeserted(network.bridge))
    const inUse = deserted.length > 0 ? await host.addressesInUse().catch(() => undefined) : undefined
    for (const kept of unclean) {
      const { network, since } = kept
      if (!this.#kept.has(kept)) continue
      const isClean = inUse && deserted.includes(kept) && !inUse.has(network.bridge.subnet.gateway)
      if (isClean) {
        kept.isClean = true
        kept.timer = setTimeout(() => {
          this.#forget(kept)
          this.#removeSoon(network)
        }, times.kept).unref()
      } else if (performance.now() - since > times.left) {
        this.#forget(kept)
        this.#removeSoon(network)
      }
    }
  }

  /** One at a time: launches wait for the Engine, too. What cannot be removed is left to a sweep. */
  #removeSoon(network: Network): void {
    const removed = this.#oneRemoval.run(() => network.remove())
    this.#leave(network, removed).catch(() => undefined)
  }

  #remove(network: Network, deadline?: AbortSignal): Promise<void> {
    return this.#leave(network, network.remove(deadline))
  }

  #leave(network: Network, removed: Promise<void>): Promise<void> {
    const leaving = removed.finally(() => this.#leaving.delete(network.id))
    this.#leaving.set(network.id, leaving)
    return leaving
  }

  /** Where the pool is exhausted, networks that are kept make way, and those that are being removed are waited for. */
  async #withRoom(create: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await create()
        return
      } catch (error) {
        if (!(error instanceof StagerdError) || error.code !== 'no-free-network') throw error
        const [kept] = this.#kept
        if (kept) {
          this.#forget(kept)
          await this.#remove(kept.network)
        } else if (this.#leaving.size > 0) await Promise.allSettled(this.#leaving.values())
        else throw error
      }
    }
  }
}

/** One network, and its rules. */
class Network {
  readonly id = randomUUID()
  readonly comment: string
  /** Whether rules were set for it. */
  isProtected = false
  #bridge: Bridge | undefined
  #index: number | undefined

  constructor(
    private readonly parts: Required<NetworksParts>,
    private readonly internal: boolean,
  ) {
    this.comment = networkComment(parts.owner, this.id)
  }

  get bridge(): Bridge {
    if (!this.#bridge) throw new Error('the network is not open')
    return this.#bridge
  }

  get isOpen(): boolean {
    return this.#bridge !== undefined
  }

  /** Whether it may serve another launch, as far as its bridge goes: that nobody has removed it, or made it again. */
  get isIntact(): boolean {
    return this.internal && this.#index !== undefined && this.#indexNow(this.bridge) === this.#index
  }

  async create(): Promise<void> {
    this.#bridge = await this.parts.bridges.create(this.id, this.internal)
    this.#index = this.#indexNow(this.#bridge)
  }

  /** Idempotent; also succeeds if it was never created. */
  async remove(deadline = AbortSignal.timeout(60_000)): Promise<void> {
    const { bridges, guard } = this.parts
    await settleAll([guard.remove(this, deadline), bridges.remove(this.id)])
  }

  #indexNow({ interface: name }: Bridge): number | undefined {
    return this.parts.host.interfaceIndex(name)
  }
}
