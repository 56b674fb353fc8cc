import type { Graph, Satisfiable } from './graph.js'

/** How many dependencies an explanation must list to show that a demand or package is not satisfiable. */
export interface ProofCosts {
  /** Cost of an unsatisfiable demand; Infinity if only a cycle is the reason. */
  of(demand: number): number
  demandFails(demand: number): boolean
  fails(node: number): boolean
  /** The dependency cycle from a package to itself, if that is the only reason why it fails. */
  cycleOf(node: number): readonly number[] | undefined
}

/**
 * The cost of a demand is one plus the costs of all its candidates. The cost of a package is that of its cheapest
 * failing demand. Costs are propagated from demands without candidates upward. What is not reached fails only because
 * of cycles.
 */
export function proofCosts(graph: Graph, { packages, demands }: Satisfiable): ProofCosts {
  const ofDemand = new Float64Array(graph.demands.length).fill(Infinity)
  const ofPackage = new Float64Array(graph.packages.length).fill(Infinity)
  const relax = (demand: number): number => {
    const cost = (graph.candidatesOf[demand] ?? []).reduce((sum, node) => sum + (ofPackage[node] ?? 0), 1)
    if (cost >= (ofDemand[demand] ?? 0)) return Infinity
    ofDemand[demand] = cost
    return cost
  }
  const failing = graph.demands.map((_demand, number) => number).filter((number) => demands[number] !== 1)
  for (let queue = failing; queue.length > 0;) {
    const next = new Set<number>()
    for (const demand of queue) {
      const cost = relax(demand)
      for (const dependent of graph.dependentsOf[demand] ?? []) {
        if (packages[dependent] === 1 || cost >= (ofPackage[dependent] ?? 0)) continue
        ofPackage[dependent] = cost
        for (const served of graph.demandsFor[dependent] ?? []) if (demands[served] !== 1) next.add(served)
      }
    }
    queue = [...next]
  }

  const cycleOf = (start: number): readonly number[] | undefined => {
    if (ofPackage[start] !== Infinity) return undefined
    const path: number[] = []
    for (let node: number | undefined = start; node !== undefined;) {
      path.push(node)
      const need: number | undefined = graph.needs[node]?.find((each) => demands[each] !== 1)
      node = need === undefined ? undefined : graph.candidatesOf[need]?.find((each) => ofPackage[each] === Infinity)
      if (node === start) return [...path, start]
      // A cycle that does not include `start`: it is reported for its own members.
      if (node !== undefined && path.includes(node)) return undefined
    }
    return undefined
  }
  return {
    of: (demand) => ofDemand[demand] ?? Infinity,
    demandFails: (demand) => demands[demand] !== 1,
    fails: (node) => packages[node] !== 1,
    cycleOf,
  }
}
