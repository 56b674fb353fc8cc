import type { Package } from '../package.js'
import { inCycles, satisfiable, type Graph, type Satisfiable } from './graph.js'

/** A package that was taken, and the packages on the path to it at that time, on which it must not depend. */
interface Taken {
  readonly node: number
  readonly path: readonly number[]
}

/** Stands for the operating system in graphs that have none. */
const NO_SYSTEM = -1

/**
 * Refuses exactly the candidates that lead to no solution.
 *
 * WHY IT IS EXACT. Two problems are not visible in the candidates of a dependency: a second operating system, and a
 * cycle. For a given operating system, a candidate can be completed if and only if it is satisfiable without the
 * packages on the path to it. Taking it does not affect open dependencies: they are satisfiable without their own,
 * shorter path, and completed packages depend on nothing on a path. So a prefix of choices can be completed if and only
 * if one operating system admits all of them.
 */
export class Lookahead {
  readonly #graph: Graph
  readonly #satisfiable = new Map<number, Satisfiable>()
  readonly #systems: readonly number[]
  readonly #taken: Taken[] = []
  /** An operating system that admits everything taken so far. */
  #witness = NO_SYSTEM
  #inCycles: Uint8Array | undefined

  constructor(graph: Graph) {
    this.#graph = graph
    this.#systems = graph.operatingSystems.size > 0 ? [...graph.operatingSystems] : [NO_SYSTEM]
  }

  /** Whether there is a solution at all. */
  begin(): boolean {
    return this.#findWitness(this.#systems)
  }

  /** Whether a solution contains `candidate` and everything admitted before. If so, `candidate` counts as taken. */
  admits(candidate: Package, path: ReadonlySet<Package>): boolean {
    const { operatingSystems } = this.#graph
    const node = this.#graph.numberOf(candidate)
    const taken = { node, path: [...path].map((each) => this.#graph.numberOf(each)) }
    this.#taken.push(taken)
    const isSystem = operatingSystems.has(node)
    // Once an operating system is taken, every other one fails as a witness.
    const admitted =
      (!isSystem || node === this.#witness) && this.#admits(this.#witness, taken)
        ? true
        : this.#findWitness(isSystem ? [node] : this.#systems)
    if (!admitted) this.#taken.pop()
    return admitted
  }

  #findWitness(systems: readonly number[]): boolean {
    const found = systems.find(
      (system) => this.#rootsAreSatisfiable(system) && this.#taken.every((taken) => this.#admits(system, taken)),
    )
    if (found === undefined) return false
    this.#witness = found
    return true
  }

  #rootsAreSatisfiable(system: number): boolean {
    const { demands } = this.#satisfiableWith(system)
    return this.#graph.roots.every((root) => demands[root] === 1)
  }

  #admits(system: number, { node, path }: Taken): boolean {
    if (this.#satisfiableWith(system).packages[node] !== 1) return false
    // Only packages in a cycle can depend on a package on the path.
    this.#inCycles ??= inCycles(this.#graph)
    const inside = this.#inCycles
    if (inside[node] !== 1) return true
    const excluded = new Set(path.filter((each) => inside[each] === 1))
    if (excluded.size === 0) return true
    return satisfiable(this.#graph, (each) => excluded.has(each) || this.#isOther(system, each)).packages[node] === 1
  }

  #satisfiableWith(system: number): Satisfiable {
    let found = this.#satisfiable.get(system)
    if (!found) this.#satisfiable.set(system, (found = satisfiable(this.#graph, (node) => this.#isOther(system, node))))
    return found
  }

  #isOther(system: number, node: number): boolean {
    return node !== system && this.#graph.operatingSystems.has(node)
  }
}
