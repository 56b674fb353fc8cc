import { formatCapability, sameCapability } from '../capability.js'
import type { Considered, Decision } from './decision.js'
import { satisfiable, type Graph } from './graph.js'
import { otherVersions } from './other-versions.js'
import { isOperatingSystem, nameOf, type Problem } from './problem.js'
import { proofCosts, type ProofCosts } from './proof-costs.js'
import { SystemConflicts } from './system-conflicts.js'

/** A dependency that the explanation must list, and the package that has it. */
interface Pending {
  readonly demand: number
  readonly neededBy: string
  /** Dependencies of the same package that have no operating system in common with it. */
  readonly conflictsWith: readonly number[]
}

/**
 * The shortest explanation of why a problem has no solution: the fewest dependencies that prove it, each with all of
 * its candidates. If one missing package is a sufficient reason, the explanation lists nothing else.
 */
export function explainFailure(problem: Problem, graph: Graph): readonly Decision[] {
  return new FailureExplainer(problem, graph).decisions()
}

class FailureExplainer {
  readonly #problem: Problem
  readonly #graph: Graph
  readonly #costs: ProofCosts
  readonly #conflicts: SystemConflicts
  readonly #reported = new Set<number>()
  readonly #pending: Pending[] = []

  constructor(problem: Problem, graph: Graph) {
    this.#problem = problem
    this.#graph = graph
    this.#costs = proofCosts(
      graph,
      satisfiable(graph, () => false),
    )
    this.#conflicts = new SystemConflicts(graph)
  }

  decisions(): Decision[] {
    const { subject } = this.#problem
    const missing = this.#cheapest(this.#graph.roots)
    if (missing === undefined) this.#reportConflict(subject, this.#graph.roots)
    else this.#report({ demand: missing, neededBy: subject, conflictsWith: [] })
    const decisions: Decision[] = []
    for (let next = this.#pending.shift(); next; next = this.#pending.shift()) decisions.push(this.#decision(next))
    return decisions
  }

  #decision({ demand: number, neededBy, conflictsWith }: Pending): Decision {
    const demand = this.#graph.demands[number]
    if (!demand) throw new RangeError(`there is no demand ${number}`)
    const candidates = demand.providers.map((candidate): Considered => {
      const objection = this.#problem.objection(demand, candidate)
      const reason =
        objection === undefined ? this.#whyNot(this.#graph.numberOf(candidate), conflictsWith) : `it ${objection}`
      return { name: nameOf(candidate), verdict: 'refused', reason }
    })
    const { staged } = this.#problem
    if (staged?.provides.some((provided) => sameCapability(provided, demand.dependency)))
      candidates.push({ name: staged.name, verdict: 'refused', reason: 'it is the package itself' })
    const { dependency } = demand
    const decision = { dependency, neededBy, taken: undefined, candidates }
    if (candidates.length > 0) return decision
    return {
      ...decision,
      otherVersions: otherVersions(dependency, this.#problem.index.namesOf(dependency.type)),
    }
  }

  #whyNot(node: number, conflictsWith: readonly number[]): string {
    const name = this.#nameOf(node)
    const needs = this.#graph.needs[node] ?? []
    if (this.#costs.fails(node)) {
      const cycle = this.#costs.cycleOf(node)
      if (cycle) return `it depends on itself: ${cycle.map((each) => this.#nameOf(each)).join(' -> ')}`
      const need = this.#cheapest(needs)
      if (need === undefined) throw new RangeError(`${name} fails without a reason`)
      this.#report({ demand: need, neededBy: name, conflictsWith: [] })
      return `it needs ${this.#keyOf(need)}`
    }
    const systems = this.#conflicts.systemsOf(node)
    if (systems.length === 0) {
      const pair = this.#reportConflict(name, needs)
      return this.#isSystem(node)
        ? `it is an operating system itself, and needs ${pair}, which runs only on another one`
        : `it needs ${pair}, which cannot run on the same operating system`
    }
    const others = conflictsWith.map((each) => this.#keyOf(each)).join(' and ')
    return this.#isSystem(node)
      ? `it is an operating system on which ${others} cannot run, and there can be only one`
      : `it runs only on ${systems.map((each) => this.#nameOf(each)).join(', ')}, and ${others} does not`
  }

  /** Reports dependencies of one package that are satisfiable individually but not together. */
  #reportConflict(neededBy: string, needs: readonly number[]): string {
    const conflict = this.#conflicts.smallest(needs)
    for (const demand of conflict)
      this.#report({ demand, neededBy, conflictsWith: conflict.filter((other) => other !== demand) })
    return conflict.map((each) => this.#keyOf(each)).join(' and ')
  }

  #report(pending: Pending): void {
    if (this.#reported.has(pending.demand)) return
    this.#reported.add(pending.demand)
    this.#pending.push(pending)
  }

  /** The failing demand with the shortest explanation. */
  #cheapest(demands: readonly number[]): number | undefined {
    let best: number | undefined
    for (const demand of demands)
      if (this.#costs.demandFails(demand) && (best === undefined || this.#costs.of(demand) < this.#costs.of(best)))
        best = demand
    return best
  }

  #isSystem(node: number): boolean {
    const found = this.#graph.packages[node]
    return found !== undefined && isOperatingSystem(found)
  }

  #nameOf(node: number): string {
    const found = this.#graph.packages[node]
    return found ? nameOf(found) : ''
  }

  #keyOf(demand: number): string {
    const found = this.#graph.demands[demand]
    return found ? formatCapability(found.dependency) : ''
  }
}
