import { Agenda } from './agenda.js'
import { simulateCache } from './cache.js'
import { Chance } from './chance.js'
import { peakRate, type Fleet } from './fleet.js'
import type { Figures } from './figures.js'

interface Node {
  free: number
  /** Looks that are on their way, each of which may take a slot. */
  looking: number
  leaseUntil: number
  /** When its heart stopped. */
  diedAt: number | undefined
  /** How many changes of packages it has seen. */
  seen: number
}

/**
 * Has a fleet run through its busiest hour, or a part of it: submissions by chance, looks for them, launches, heartbeats, the
 * feed of changes, and nodes that die. It knows none of the formulas of the model.
 */
export function simulate(fleet: Fleet, options: { readonly seconds: number; readonly seed: number }): Figures {
  const chance = new Chance(options.seed)
  const simulation = new Simulation(fleet, chance)
  // Five times the mean: the number of busy slots has forgotten by then that all were free.
  simulation.run(fleet.stagingSeconds * 5, options.seconds)
  return { ...simulation.figures(options.seconds), cacheHits: simulateCache(fleet, chance) }
}

const nothingYet = (since: number) => ({
  since,
  busySeconds: 0,
  fullSeconds: 0,
  looksInVain: 0,
  processorMs: 0,
  takeOvers: [] as number[],
})

class Simulation {
  readonly #fleet: Fleet
  readonly #chance: Chance
  readonly #agenda = new Agenda()
  readonly #nodes: Node[]
  #queued = 0
  #changes = 0
  readonly #dead = new Set<Node>()
  /** Slots, and nodes, now. */
  #busy = 0
  #full = 0
  #counted = nothingYet(0)

  constructor(fleet: Fleet, chance: Chance) {
    this.#fleet = fleet
    this.#chance = chance
    this.#nodes = Array.from({ length: fleet.nodes }, () => ({
      free: fleet.slots,
      looking: 0,
      leaseUntil: Infinity,
      diedAt: undefined,
      seen: 0,
    }))
  }

  run(warmUpSeconds: number, seconds: number): void {
    const { heartbeatSeconds, feedSeconds, pollSeconds } = this.#fleet
    for (const node of this.#nodes) {
      this.#every(heartbeatSeconds, () => this.#heartbeat(node))
      this.#every(feedSeconds, () => this.#readFeed(node))
      this.#every(pollSeconds, () => {
        if (node.free > node.looking) this.#look(node)
      })
    }
    this.#submitNext()
    this.#every(1, () => this.#stopHeart())
    this.#agenda.runUntil(warmUpSeconds)
    this.#counted = nothingYet(warmUpSeconds)
    this.#agenda.runUntil(warmUpSeconds + seconds)
    this.#count()
  }

  figures(seconds: number): Omit<Figures, 'cacheHits'> {
    const { nodes, slots } = this.#fleet
    const { busySeconds, fullSeconds, looksInVain, processorMs, takeOvers } = this.#counted
    return {
      busy: busySeconds / seconds / (nodes * slots),
      fullNodes: fullSeconds / seconds / nodes,
      looksInVain: looksInVain / seconds,
      databaseCores: processorMs / seconds / 1_000,
      takeOverSeconds: takeOvers.reduce((sum, each) => sum + each, 0) / takeOvers.length,
    }
  }

  #submitNext(): void {
    this.#agenda.after(this.#chance.exponential(1 / peakRate(this.#fleet)), () => {
      this.#submitNext()
      this.#query(this.#fleet.database.submit, () => {
        this.#queued++
        this.#tell()
      })
    })
  }

  #tell(): void {
    const { wake, database } = this.#fleet
    const first = this.#someFreeNode()
    if (first) this.#look(first)
    this.#counted.processorMs += database.delivery
    if (wake === 'one') return
    this.#counted.processorMs += database.delivery * (this.#nodes.length - 1)
    for (const node of this.#nodes) if (node !== first && node.free > node.looking) this.#look(node)
  }

  #someFreeNode(): Node | undefined {
    for (let tries = 0; tries < 20 * this.#nodes.length; tries++) {
      const node = this.#nodes[this.#chance.below(this.#nodes.length)]!
      if (node.free > node.looking) return node
    }
    return undefined
  }

  #look(node: Node): void {
    const { database } = this.#fleet
    const finds = this.#queued > 0
    if (finds) this.#queued--
    else this.#counted.looksInVain++
    node.looking++
    this.#query(finds ? database.admit : database.lookInVain, () => {
      node.looking--
      if (finds) this.#stage(node)
    })
  }

  #stage(node: Node): void {
    const { stagingSeconds, stagingSpread, stagersPerStaging, database } = this.#fleet
    this.#occupy(node, 1)
    const seconds = this.#chance.lognormal(stagingSeconds, stagingSpread)
    for (let stager = 1; stager < stagersPerStaging; stager++)
      this.#agenda.after((seconds * stager) / stagersPerStaging, () => this.#query(database.launch))
    this.#agenda.after(seconds, () => {
      this.#query(database.launch)
      this.#changes++
      const wasFull = node.free === 0
      this.#occupy(node, -1)
      if (wasFull) this.#look(node)
    })
  }

  #occupy(node: Node, slots: number): void {
    this.#count()
    const { slots: all } = this.#fleet
    if (node.free === 0) this.#full--
    node.free -= slots
    if (node.free < 0 || node.free > all) throw new Error(`A node of ${all} slots has ${node.free} free ones.`)
    if (node.free === 0) this.#full++
    this.#busy += slots
  }

  /** Adds what has been since it was last called. */
  #count(): void {
    const passed = this.#agenda.now - this.#counted.since
    this.#counted.busySeconds += passed * this.#busy
    this.#counted.fullSeconds += passed * this.#full
    this.#counted.since = this.#agenda.now
  }

  #heartbeat(node: Node): void {
    if (node.diedAt !== undefined) return
    this.#query(this.#fleet.database.heartbeat)
    node.leaseUntil = this.#agenda.now + this.#fleet.leaseSeconds
    // Whoever is alive looks for leases that have ended.
    for (const dead of this.#dead) {
      if (dead.leaseUntil > this.#agenda.now) continue
      this.#counted.takeOvers.push(this.#agenda.now - dead.diedAt!)
      dead.diedAt = undefined
      this.#dead.delete(dead)
    }
  }

  /** One node at a time loses its heart, at any moment, and gets it back when its stagings have been taken over. */
  #stopHeart(): void {
    if (this.#dead.size > 0) return
    const node = this.#nodes[this.#chance.below(this.#nodes.length)]!
    if (node.leaseUntil === Infinity) return
    this.#agenda.after(this.#chance.next() * this.#fleet.heartbeatSeconds, () => {
      node.diedAt = this.#agenda.now
      this.#dead.add(node)
    })
  }

  #readFeed(node: Node): void {
    const { feed, feedRow } = this.#fleet.database
    this.#query(feed + feedRow * (this.#changes - node.seen))
    node.seen = this.#changes
  }

  #query(meanMs: number, then: () => void = () => undefined): void {
    const ms = this.#chance.exponential(meanMs)
    this.#counted.processorMs += ms
    this.#agenda.after(ms / 1_000, then)
  }

  /** From a moment by chance on, so that nodes do not act together. */
  #every(seconds: number, happen: () => void): void {
    const again = () => {
      this.#agenda.after(seconds, again)
      happen()
    }
    this.#agenda.after(seconds * this.#chance.next(), again)
  }
}
