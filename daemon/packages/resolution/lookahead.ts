import type { Package } from '../package.js'
import { circular, standing, type Graph, type Standing } from './graph.js'

/** A package that was taken, and the packages that were waiting for it then, which it must not depend on. */
interface Taken {
  readonly node: number
  readonly path: readonly number[]
}

/** For graphs without an operating system: none is needed. */
const NO_SYSTEM = -1

/**
 * Tells a search which candidates lead to a solution, and refuses no other.
 *
 * WHY IT IS EXACT. Two things can go wrong that the candidates of a dependency do not show: a second operating system,
 * and a circle. With the operating system given, a candidate can be completed if and only if it stands (see `standing`)
 * without the packages on the path to it; and taking it harms nothing that is still open, because that stands without
 * its own, shorter path, and what is complete depends on nothing that is on a path. So a prefix of choices can be
 * completed if and only if one operating system admits all of them.
 */
export class Lookahead {
  readonly #graph: Graph
  readonly #standing = new Map<number, Standing>()
  readonly #systems: readonly number[]
  readonly #taken: Taken[] = []
  /** Admits everything that was taken. */
  #witness = NO_SYSTEM
  #circular: Uint8Array | undefined

  constructor(graph: Graph) {
    this.#graph = graph
    this.#systems = graph.operatingSystems.size > 0 ? [...graph.operatingSystems] : [NO_SYSTEM]
  }

  /** Whether there is a solution at all. */
  begin(): boolean {
    return this.#findWitness(this.#systems)
  }

  /** Whether there is a solution with `candidate` after all that was admitted before; if so, it is taken. */
  admits(candidate: Package, path: ReadonlySet<Package>): boolean {
    const { operatingSystems } = this.#graph
    const node = this.#graph.numberOf(candidate)
    const taken = { node, path: [...path].map((each) => this.#graph.numberOf(each)) }
    this.#taken.push(taken)
    const isSystem = operatingSystems.has(node)
    // Once a system is taken, only it stands: every other witness fails on it.
    const admitted =
      (!isSystem || node === this.#witness) && this.#admits(this.#witness, taken)
        ? true
        : this.#findWitness(isSystem ? [node] : this.#systems)
    if (!admitted) this.#taken.pop()
    return admitted
  }

  #findWitness(systems: readonly number[]): boolean {
    const found = systems.find(
      (system) => this.#rootsStand(system) && this.#taken.every((taken) => this.#admits(system, taken)),
    )
    if (found === undefined) return false
    this.#witness = found
    return true
  }

  #rootsStand(system: number): boolean {
    const { demands } = this.#under(system)
    return this.#graph.roots.every((root) => demands[root] === 1)
  }

  #admits(system: number, { node, path }: Taken): boolean {
    if (this.#under(system).packages[node] !== 1) return false
    // Only what lies on a circle itself can come back to something on the path.
    this.#circular ??= circular(this.#graph)
    const inside = this.#circular
    if (inside[node] !== 1) return true
    const barred = new Set(path.filter((each) => inside[each] === 1))
    if (barred.size === 0) return true
    return standing(this.#graph, (each) => barred.has(each) || this.#isOther(system, each)).packages[node] === 1
  }

  #under(system: number): Standing {
    let found = this.#standing.get(system)
    if (!found) this.#standing.set(system, (found = standing(this.#graph, (node) => this.#isOther(system, node))))
    return found
  }

  #isOther(system: number, node: number): boolean {
    return node !== system && this.#graph.operatingSystems.has(node)
  }
}
