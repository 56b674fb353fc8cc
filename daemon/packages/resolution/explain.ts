import type { Package } from '../package.js'
import type { Considered, Decision } from './decision.js'
import { Graph, satisfiable } from './graph.js'
import { isOperatingSystem, nameOf, type Demand, type Problem } from './problem.js'
import type { Choice, Solution } from './search.js'

/** Every dependency of a solution with every candidate, in the order of resolution. */
export function explainSolution(problem: Problem, solution: Solution): readonly Decision[] {
  const explainer = new Explainer(problem, solution)
  return solution.choices.map((choice) => explainer.decision(choice))
}

class Explainer {
  readonly #problem: Problem
  readonly #system: Package | undefined
  readonly #position: ReadonlyMap<Package, number>
  /** Computed only when a preferred candidate was refused, which most solutions do not have. */
  #isSatisfiable: ((candidate: Package) => boolean) | undefined
  #isSatisfiableOnSystem: ((candidate: Package) => boolean) | undefined

  constructor(problem: Problem, { chosen }: Solution) {
    this.#problem = problem
    this.#system = chosen.find(isOperatingSystem)
    this.#position = new Map(chosen.map((each, position) => [each, position]))
  }

  decision({ demand, dependent, taken, reused }: Choice): Decision {
    const order = [...demand.candidates, ...demand.providers.filter((each) => !demand.candidates.includes(each))]
    const considered = order.map((candidate): Considered => {
      const name = nameOf(candidate)
      if (candidate === taken) return { name, verdict: 'taken', reason: this.#whyTaken(demand, taken, reused) }
      const objection = this.#problem.objection(demand, candidate)
      if (objection !== undefined) return { name, verdict: 'refused', reason: `it ${objection}` }
      if (!reused && demand.candidates.indexOf(candidate) < demand.candidates.indexOf(taken))
        return { name, verdict: 'refused', reason: this.#whyRefused(candidate, taken) }
      return { name, verdict: 'passed over', reason: this.#whyNotNeeded(demand, candidate, taken, reused) }
    })
    return {
      dependency: demand.dependency,
      neededBy: dependent ? nameOf(dependent) : this.#problem.subject,
      taken: nameOf(taken),
      candidates: considered,
    }
  }

  #whyTaken({ providers, candidates, rules }: Demand, taken: Package, reused: boolean): string {
    const locked = rules?.lockedBy(taken)
    if (locked !== undefined) return `it is locked by ${locked}`
    if (reused) return 'it is already chosen'
    if (providers.length === 1) return 'nothing else provides it'
    const preferred = rules?.preferredBy(taken)
    if (preferred !== undefined) return `it is the default by ${preferred}`
    return candidates[0] === taken && candidates.length > 1 ? 'it was imported first' : 'the others are refused'
  }

  #whyNotNeeded({ rules }: Demand, candidate: Package, taken: Package, reused: boolean): string {
    if (reused) return `${nameOf(taken)} is already chosen`
    if (rules && rules.preference(taken) < rules.preference(candidate)) return `${nameOf(taken)} is the default`
    return `it was imported after ${nameOf(taken)}`
  }

  #whyRefused(candidate: Package, taken: Package): string {
    if ((this.#position.get(candidate) ?? Infinity) < (this.#position.get(taken) ?? 0))
      return 'it would depend on itself'
    const system = this.#system && nameOf(this.#system)
    if (system !== undefined && isOperatingSystem(candidate))
      return `the rest needs the operating system ${system}, and there can be only one`
    this.#buildGraph()
    if (this.#isSatisfiable?.(candidate) !== true) return 'its own dependencies cannot be resolved'
    if (system !== undefined && this.#isSatisfiableOnSystem?.(candidate) !== true)
      return `it cannot run on the operating system ${system}, which the rest needs`
    return 'it would depend on itself'
  }

  #buildGraph(): void {
    if (this.#isSatisfiable) return
    const graph = new Graph(this.#problem)
    const anySystem = satisfiable(graph, () => false).packages
    const system = this.#system ? graph.numberOf(this.#system) : -1
    const oneSystem = satisfiable(graph, (node) => node !== system && graph.operatingSystems.has(node)).packages
    this.#isSatisfiable = (candidate) => anySystem[graph.numberOf(candidate)] === 1
    this.#isSatisfiableOnSystem = (candidate) => oneSystem[graph.numberOf(candidate)] === 1
  }
}
