import { standing, type Graph, type Standing } from './graph.js'

/** Which dependencies agree on an operating system. For explanations: it tries every operating system. */
export class SystemConflicts {
  readonly #systems: readonly number[]
  #under: readonly Standing[] | undefined
  readonly #graph: Graph

  constructor(graph: Graph) {
    this.#graph = graph
    this.#systems = [...graph.operatingSystems]
  }

  /** The operating systems on which a package stands. */
  systemsOf(node: number): readonly number[] {
    return this.#where(({ packages }) => packages[node] === 1)
  }

  /** The fewest of these demands for which there is no operating system in common. */
  smallest(demands: readonly number[]): readonly number[] {
    const standsOn = demands.map((demand) => new Set(this.#where((under) => under.demands[demand] === 1)))
    const disagree = (chosen: readonly number[]) =>
      this.#systems.every((system) => chosen.some((each) => standsOn[each]?.has(system) !== true))
    const all = demands.map((_demand, place) => place)
    const one = all.find((each) => disagree([each]))
    if (one !== undefined) return all.filter((each) => each === one).map((each) => demands[each] ?? -1)
    for (const first of all)
      for (const second of all.slice(first + 1))
        if (disagree([first, second])) return [demands[first] ?? -1, demands[second] ?? -1]
    // Three or more: none of them can be left out.
    let needed = all
    for (const each of all) {
      const without = needed.filter((other) => other !== each)
      if (disagree(without)) needed = without
    }
    return needed.map((each) => demands[each] ?? -1)
  }

  #where(holds: (under: Standing) => boolean): number[] {
    this.#under ??= this.#systems.map((system) =>
      standing(this.#graph, (node) => node !== system && this.#graph.operatingSystems.has(node)),
    )
    const under = this.#under
    return this.#systems.filter((_system, place) => {
      const found = under[place]
      return found !== undefined && holds(found)
    })
  }
}
