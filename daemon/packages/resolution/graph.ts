import type { Package } from '../package.js'
import { isOperatingSystem, type Demand, type Problem } from './problem.js'

/**
 * Everything that a resolution can reach: the dependencies, their candidates, the dependencies of those, and so on.
 * Packages and demands are numbered in breadth-first order.
 */
export class Graph {
  readonly packages: Package[] = []
  readonly demands: Demand[] = []
  /** For each package, its demands without duplicates. */
  readonly needs: number[][] = []
  /** For each demand, its candidates in order of preference. */
  readonly candidatesOf: number[][] = []
  /** For each demand, the packages that have it. */
  readonly dependentsOf: number[][] = []
  /** For each package, the demands for which it is a candidate. */
  readonly demandsFor: number[][] = []
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
        const candidates = demand.candidates.map((candidate) => this.#packageOf(candidate))
        this.candidatesOf[done] = candidates
        for (const one of candidates) this.demandsFor[one]?.push(done)
        done++
        continue
      }
      const node = met++
      const needs = unique(this.packages[node]?.dependencies.map((each) => this.#demandOf(problem.demand(each))) ?? [])
      this.needs[node] = needs
      for (const need of needs) this.dependentsOf[need]?.push(node)
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
      this.demandsFor.push([])
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
      this.dependentsOf.push([])
      this.candidatesOf.push([])
    }
    return number
  }
}

/** The packages and demands of a graph that are satisfiable: 1 for each. */
export interface Satisfiable {
  readonly packages: Uint8Array
  readonly demands: Uint8Array
}

/**
 * A package is satisfiable if all its demands are. A demand is satisfiable if one of its candidates is. This computes
 * the least fixed point, from packages without demands upward, so what is satisfiable needs no cycle.
 *
 * @param excluded packages that must not be used
 */
export function satisfiable(graph: Graph, excluded: (node: number) => boolean): Satisfiable {
  const packages = new Uint8Array(graph.packages.length)
  const demands = new Uint8Array(graph.demands.length)
  const missing = graph.needs.map((needs) => needs.length)
  const ready: number[] = []
  missing.forEach((count, node) => {
    if (count === 0) ready.push(node)
  })
  for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
    if (excluded(node)) continue
    packages[node] = 1
    for (const demand of graph.demandsFor[node] ?? []) {
      if (demands[demand] === 1) continue
      demands[demand] = 1
      for (const dependent of graph.dependentsOf[demand] ?? []) {
        const left = (missing[dependent] ?? 0) - 1
        missing[dependent] = left
        if (left === 0) ready.push(dependent)
      }
    }
  }
  return { packages, demands }
}

/** The packages in a cycle, or on a path from one cycle to another: 1 for each. */
export function inCycles(graph: Graph): Uint8Array {
  const inside = new Uint8Array(graph.packages.length).fill(1)
  const leadsTo = (node: number) => (graph.needs[node] ?? []).flatMap((need) => graph.candidatesOf[need] ?? [])
  const comesFrom = (node: number) =>
    (graph.demandsFor[node] ?? []).flatMap((demand) => graph.dependentsOf[demand] ?? [])
  trim(inside, leadsTo, comesFrom)
  trim(inside, comesFrom, leadsTo)
  return inside
}

/** Repeatedly removes nodes without a successor. */
function trim(
  inside: Uint8Array,
  successors: (node: number) => number[],
  predecessors: (node: number) => number[],
): void {
  const counts = Array.from(inside, (is, node) => (is ? successors(node).filter((next) => inside[next]).length : 0))
  const ends: number[] = []
  inside.forEach((is, node) => {
    if (is && counts[node] === 0) ends.push(node)
  })
  for (let node = ends.pop(); node !== undefined; node = ends.pop()) {
    inside[node] = 0
    for (const previous of predecessors(node)) {
      const left = (counts[previous] ?? 0) - 1
      counts[previous] = left
      if (left === 0 && inside[previous]) ends.push(previous)
    }
  }
}

function unique(numbers: readonly number[]): number[] {
  return [...new Set(numbers)]
}
