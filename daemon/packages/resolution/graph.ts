import type { Package } from '../package.js'
import { isOperatingSystem, type Demand, type Problem } from './problem.js'

/**
 * Everything that a resolution could come to: the dependencies, their candidates, the dependencies of those, and so on.
 * Nodes and demands are numbered, in the order in which a walk in breadth meets them.
 */
export class Graph {
  readonly packages: Package[] = []
  readonly demands: Demand[] = []
  /** Of each package, the demands that it has, each once. */
  readonly needs: number[][] = []
  /** Of each demand, the packages that may serve it, preferred first. */
  readonly serves: number[][] = []
  /** Of each demand, the packages that have it. */
  readonly neededBy: number[][] = []
  /** Of each package, the demands that it may serve. */
  readonly servedBy: number[][] = []
  /** The demands of the subject. */
  readonly roots: readonly number[]
  readonly operatingSystems = new Set<number>()
  readonly #numbers = new Map<Package, number>()
  readonly #demandNumbers = new Map<Demand, number>()

  constructor(problem: Problem) {
    this.roots = unique(problem.dependencies.map((dependency) => this.#demandOf(problem.demand(dependency))))
    for (let done = 0, met = 0; done < this.demands.length || met < this.packages.length;) {
      const demand = this.demands[done]
      if (demand) {
        const serving = demand.candidates.map((candidate) => this.#packageOf(candidate))
        this.serves[done] = serving
        for (const one of serving) this.servedBy[one]?.push(done)
        done++
        continue
      }
      const node = met++
      const needs = unique(this.packages[node]?.dependencies.map((each) => this.#demandOf(problem.demand(each))) ?? [])
      this.needs[node] = needs
      for (const need of needs) this.neededBy[need]?.push(node)
    }
  }

  numberOf(candidate: Package): number {
    return this.#numbers.get(candidate) ?? -1
  }

  #packageOf(candidate: Package): number {
    let number = this.#numbers.get(candidate)
    if (number === undefined) {
      number = this.packages.push(candidate) - 1
      this.#numbers.set(candidate, number)
      this.servedBy.push([])
      this.needs.push([])
      if (isOperatingSystem(candidate)) this.operatingSystems.add(number)
    }
    return number
  }

  #demandOf(demand: Demand): number {
    let number = this.#demandNumbers.get(demand)
    if (number === undefined) {
      number = this.demands.push(demand) - 1
      this.#demandNumbers.set(demand, number)
      this.neededBy.push([])
      this.serves.push([])
    }
    return number
  }
}

/** Which packages and demands of a graph can be had. */
export interface Standing {
  readonly packages: Uint8Array
  readonly demands: Uint8Array
}

/**
 * A package stands when each of its demands does; a demand stands when one of its candidates does. The least solution of
 * that, from the packages that need nothing upward: so whatever stands can be had without a circle.
 *
 * @param barred packages that must not be used
 */
export function standing(graph: Graph, barred: (node: number) => boolean): Standing {
  const packages = new Uint8Array(graph.packages.length)
  const demands = new Uint8Array(graph.demands.length)
  const missing = graph.needs.map((needs) => needs.length)
  const ready: number[] = []
  missing.forEach((count, node) => {
    if (count === 0) ready.push(node)
  })
  for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
    if (barred(node)) continue
    packages[node] = 1
    for (const demand of graph.servedBy[node] ?? []) {
      if (demands[demand] === 1) continue
      demands[demand] = 1
      for (const needer of graph.neededBy[demand] ?? []) {
        const left = (missing[needer] ?? 0) - 1
        missing[needer] = left
        if (left === 0) ready.push(needer)
      }
    }
  }
  return { packages, demands }
}

/** The packages that lie on a circle, or on a way from one circle to another: 1 for each. */
export function circular(graph: Graph): Uint8Array {
  const inside = new Uint8Array(graph.packages.length).fill(1)
  const leadsTo = (node: number) => (graph.needs[node] ?? []).flatMap((need) => graph.serves[need] ?? [])
  const comesFrom = (node: number) => (graph.servedBy[node] ?? []).flatMap((demand) => graph.neededBy[demand] ?? [])
  trim(inside, leadsTo, comesFrom)
  trim(inside, comesFrom, leadsTo)
  return inside
}

/** Takes away, again and again, whatever has no way ahead. */
function trim(inside: Uint8Array, ahead: (node: number) => number[], behind: (node: number) => number[]): void {
  const ways = Array.from(inside, (is, node) => (is ? ahead(node).filter((next) => inside[next]).length : 0))
  const ends: number[] = []
  inside.forEach((is, node) => {
    if (is && ways[node] === 0) ends.push(node)
  })
  for (let node = ends.pop(); node !== undefined; node = ends.pop()) {
    inside[node] = 0
    for (const previous of behind(node)) {
      const left = (ways[previous] ?? 0) - 1
      ways[previous] = left
      if (left === 0 && inside[previous]) ends.push(previous)
    }
  }
}

function unique(numbers: readonly number[]): number[] {
  return [...new Set(numbers)]
}
