import { satisfiable, type Graph, type Satisfiable } from './graph.js'

/**
 * Finds demands that have no operating system in common. Only for explanations, because it tries every operating
 * system.
 */
export class SystemConflicts {
  readonly #systems: readonly number[]
  #under: readonly Satisfiable[] | undefined
  readonly #graph: Graph

  constructor(graph: Graph) {
    this.#graph = graph
    this.#systems = [...graph.operatingSystems]
  }

  /** The operating systems with which a package is satisfiable. */
  systemsOf(node: number): readonly number[] {
    return this.#where(({ packages }) => packages[node] === 1)
  }

  /** A minimal subset of these demands that has no operating system in common. */
  smallest(demands: readonly number[]): readonly number[] {
    const systemsOfDemand = demands.map(
      (demand) => new Set(this.#where((satisfiable) => satisfiable.demands[demand] === 1)),
    )
    const disagree = (chosen: readonly number[]) =>
      this.#systems.every((system) => chosen.some((each) => systemsOfDemand[each]?.has(system) !== true))
    const all = demands.map((_demand, place) => place)
    const one = all.find((each) => disagree([each]))
    if (one !== undefined) return all.filter((each) => each === one).map((each) => demands[each] ?? -1)
    for (const first of all)
      for (const second of all.slice(first + 1))
        if (disagree([first, second])) return [demands[first] ?? -1, demands[second] ?? -1]
    // Three or more: keep only demands that cannot be left out.
    let needed = all
    for (const each of all) {
      const without = needed.filter((other) => other !== each)
      if (disagree(without)) needed = without
    }
    return needed.map((each) => demands[each] ?? -1)
  }

  #where(holds: (found: Satisfiable) => boolean): number[] {
    this.#under ??= this.#systems.map((system) =>
      satisfiable(this.#graph, (node) => node !== system && this.#graph.operatingSystems.has(node)),
    )
    const under = this.#under
    return this.#systems.filter((_system, place) => {
      const found = under[place]
      return found !== undefined && holds(found)
    })
  }
}
