import type { Graph, Standing } from './graph.js'

/** How many dependencies have to be looked at to see that something cannot be had. */
export interface ProofCosts {
  /** Of a demand that fails; Infinity where only a circle is the reason. */
  of(demand: number): number
  demandFails(demand: number): boolean
  fails(node: number): boolean
  /** The circle that a package fails by, from itself to itself, if there is no other reason. */
  circleOf(node: number): readonly number[] | undefined
}

/**
 * The cost of a demand is one, and that of every candidate; the cost of a package is that of its cheapest demand that
 * fails. Worked out from the demands that nothing provides upward; what is left over fails by circles alone.
 */
export function proofCosts(graph: Graph, { packages, demands }: Standing): ProofCosts {
  const ofDemand = new Float64Array(graph.demands.length).fill(Infinity)
  const ofPackage = new Float64Array(graph.packages.length).fill(Infinity)
  const relax = (demand: number): number => {
    const cost = (graph.serves[demand] ?? []).reduce((sum, node) => sum + (ofPackage[node] ?? 0), 1)
    if (cost >= (ofDemand[demand] ?? 0)) return Infinity
    ofDemand[demand] = cost
    return cost
  }
  const failing = graph.demands.map((_demand, number) => number).filter((number) => demands[number] !== 1)
  for (let queue = failing; queue.length > 0;) {
    const next = new Set<number>()
    for (const demand of queue) {
      const cost = relax(demand)
      for (const needer of graph.neededBy[demand] ?? []) {
        if (packages[needer] === 1 || cost >= (ofPackage[needer] ?? 0)) continue
        ofPackage[needer] = cost
        for (const served of graph.servedBy[needer] ?? []) if (demands[served] !== 1) next.add(served)
      }
    }
    queue = [...next]
  }

  const circleOf = (start: number): readonly number[] | undefined => {
    if (ofPackage[start] !== Infinity) return undefined
    const way: number[] = []
    for (let node: number | undefined = start; node !== undefined;) {
      way.push(node)
      const need: number | undefined = graph.needs[node]?.find((each) => demands[each] !== 1)
      node = need === undefined ? undefined : graph.serves[need]?.find((each) => ofPackage[each] === Infinity)
      if (node === start) return [...way, start]
      // A circle, but further on: it is told there.
      if (node !== undefined && way.includes(node)) return undefined
    }
    return undefined
  }
  return {
    of: (demand) => ofDemand[demand] ?? Infinity,
    demandFails: (demand) => demands[demand] !== 1,
    fails: (node) => packages[node] !== 1,
    circleOf,
  }
}
