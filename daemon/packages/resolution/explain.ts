import type { Package } from '../package.js'
import type { Considered, Decision } from './decision.js'
import { Graph, standing } from './graph.js'
import { isOperatingSystem, nameOf, type Demand, type Problem } from './problem.js'
import type { Choice, Solution } from './search.js'

/** Every dependency of a solution with every candidate, in the order in which they were served. */
export function explainSolution(problem: Problem, solution: Solution): readonly Decision[] {
  const explainer = new Explainer(problem, solution)
  return solution.choices.map((choice) => explainer.decision(choice))
}

class Explainer {
  readonly #problem: Problem
  readonly #system: Package | undefined
  readonly #place: ReadonlyMap<Package, number>
  /** Why what was preferred was refused is seen in the graph alone; most solutions refuse nothing. */
  #stands: ((candidate: Package) => boolean) | undefined
  #standsOnSystem: ((candidate: Package) => boolean) | undefined

  constructor(problem: Problem, { chosen }: Solution) {
    this.#problem = problem
    this.#system = chosen.find(isOperatingSystem)
    this.#place = new Map(chosen.map((each, place) => [each, place]))
  }

  decision({ demand, needer, taken, again }: Choice): Decision {
    const order = [...demand.candidates, ...demand.providers.filter((each) => !demand.candidates.includes(each))]
    const considered = order.map((candidate): Considered => {
      const name = nameOf(candidate)
      if (candidate === taken) return { name, verdict: 'taken', reason: this.#whyTaken(demand, taken, again) }
      const objection = this.#problem.objection(demand, candidate)
      if (objection !== undefined) return { name, verdict: 'refused', reason: `it ${objection}` }
      if (!again && demand.candidates.indexOf(candidate) < demand.candidates.indexOf(taken))
        return { name, verdict: 'refused', reason: this.#whyRefused(candidate, taken) }
      return { name, verdict: 'passed over', reason: this.#whyNotNeeded(demand, candidate, taken, again) }
    })
    return {
      dependency: demand.dependency,
      neededBy: needer ? nameOf(needer) : this.#problem.subject,
      taken: nameOf(taken),
      candidates: considered,
    }
  }

  #whyTaken({ providers, candidates, rules }: Demand, taken: Package, again: boolean): string {
    const locked = rules?.lockedBy(taken)
    if (locked !== undefined) return `it is locked by ${locked}`
    if (again) return 'it is chosen already'
    if (providers.length === 1) return 'nothing else provides it'
    const preferred = rules?.preferredBy(taken)
    if (preferred !== undefined) return `it is the default by ${preferred}`
    return candidates[0] === taken && candidates.length > 1 ? 'it was imported first' : 'the others are refused'
  }

  #whyNotNeeded({ rules }: Demand, candidate: Package, taken: Package, again: boolean): string {
    if (again) return `${nameOf(taken)} is chosen already`
    if (rules && rules.preference(taken) < rules.preference(candidate)) return `${nameOf(taken)} is the default`
    return `it was imported after ${nameOf(taken)}`
  }

  #whyRefused(candidate: Package, taken: Package): string {
    if ((this.#place.get(candidate) ?? Infinity) < (this.#place.get(taken) ?? 0)) return 'it would depend on itself'
    const system = this.#system && nameOf(this.#system)
    if (system !== undefined && isOperatingSystem(candidate))
      return `the rest needs the operating system ${system}, and there can be only one`
    this.#look()
    if (this.#stands?.(candidate) !== true) return 'its own dependencies cannot be resolved'
    if (system !== undefined && this.#standsOnSystem?.(candidate) !== true)
      return `it cannot stand on the operating system ${system}, which the rest needs`
    return 'it would depend on itself'
  }

  #look(): void {
    if (this.#stands) return
    const graph = new Graph(this.#problem)
    const anySystem = standing(graph, () => false).packages
    const system = this.#system ? graph.numberOf(this.#system) : -1
    const oneSystem = standing(graph, (node) => node !== system && graph.operatingSystems.has(node)).packages
    this.#stands = (candidate) => anySystem[graph.numberOf(candidate)] === 1
    this.#standsOnSystem = (candidate) => oneSystem[graph.numberOf(candidate)] === 1
  }
}
