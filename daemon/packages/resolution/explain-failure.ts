import { formatCapability, sameCapability } from '../capability.js'
import type { Considered, Decision } from './decision.js'
import { standing, type Graph } from './graph.js'
import { isOperatingSystem, nameOf, type Problem } from './problem.js'
import { proofCosts, type ProofCosts } from './proof-costs.js'
import { SystemConflicts } from './system-conflicts.js'

/** A dependency that has to be told of, and who needs it. */
interface Open {
  readonly demand: number
  readonly neededBy: string
  /** Dependencies of the same owner that it cannot stand together with. */
  readonly against: readonly number[]
}

/**
 * The shortest explanation of why a problem has no solution: the fewest dependencies that have to be looked at to see
 * it, each with all of its candidates. Where one missing package is reason enough, nothing else is told.
 */
export function explainFailure(problem: Problem, graph: Graph): readonly Decision[] {
  return new FailureExplainer(problem, graph).decisions()
}

class FailureExplainer {
  readonly #problem: Problem
  readonly #graph: Graph
  readonly #costs: ProofCosts
  readonly #conflicts: SystemConflicts
  readonly #told = new Set<number>()
  readonly #open: Open[] = []

  constructor(problem: Problem, graph: Graph) {
    this.#problem = problem
    this.#graph = graph
    this.#costs = proofCosts(
      graph,
      standing(graph, () => false),
    )
    this.#conflicts = new SystemConflicts(graph)
  }

  decisions(): Decision[] {
    const { subject } = this.#problem
    const missing = this.#cheapest(this.#graph.roots)
    if (missing === undefined) this.#tellConflict(subject, this.#graph.roots)
    else this.#tell({ demand: missing, neededBy: subject, against: [] })
    const decisions: Decision[] = []
    for (let open = this.#open.shift(); open; open = this.#open.shift()) decisions.push(this.#decision(open))
    return decisions
  }

  #decision({ demand: number, neededBy, against }: Open): Decision {
    const demand = this.#graph.demands[number]
    if (!demand) throw new RangeError(`there is no demand ${number}`)
    const candidates = demand.providers.map((candidate): Considered => {
      const objection = this.#problem.objection(demand, candidate)
      const reason =
        objection === undefined ? this.#whyNot(this.#graph.numberOf(candidate), against) : `it ${objection}`
      return { name: nameOf(candidate), verdict: 'refused', reason }
    })
    const { staged } = this.#problem
    if (staged?.provides.some((provided) => sameCapability(provided, demand.dependency)))
      candidates.push({ name: staged.name, verdict: 'refused', reason: 'it is the package itself' })
    return { dependency: demand.dependency, neededBy, taken: undefined, candidates }
  }

  #whyNot(node: number, against: readonly number[]): string {
    const name = this.#nameOf(node)
    const needs = this.#graph.needs[node] ?? []
    if (this.#costs.fails(node)) {
      const circle = this.#costs.circleOf(node)
      if (circle) return `it depends on itself: ${circle.map((each) => this.#nameOf(each)).join(' -> ')}`
      const need = this.#cheapest(needs)
      if (need === undefined) throw new RangeError(`${name} fails without a reason`)
      this.#tell({ demand: need, neededBy: name, against: [] })
      return `it needs ${this.#keyOf(need)}`
    }
    const systems = this.#conflicts.systemsOf(node)
    if (systems.length === 0) {
      const pair = this.#tellConflict(name, needs)
      return this.#isSystem(node)
        ? `it is an operating system itself, and needs ${pair}, which stands on another only`
        : `it needs ${pair}, which cannot stand on one operating system`
    }
    const others = against.map((each) => this.#keyOf(each)).join(' and ')
    return this.#isSystem(node)
      ? `it is an operating system that ${others} cannot stand on, and there can be only one`
      : `it stands only on ${systems.map((each) => this.#nameOf(each)).join(', ')}, and ${others} does not`
  }

  /** Dependencies of one owner, each of which can be had, but not together. */
  #tellConflict(neededBy: string, needs: readonly number[]): string {
    const conflict = this.#conflicts.smallest(needs)
    for (const demand of conflict)
      this.#tell({ demand, neededBy, against: conflict.filter((other) => other !== demand) })
    return conflict.map((each) => this.#keyOf(each)).join(' and ')
  }

  #tell(open: Open): void {
    if (this.#told.has(open.demand)) return
    this.#told.add(open.demand)
    this.#open.push(open)
  }

  /** The failing one that takes the fewest words. */
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
