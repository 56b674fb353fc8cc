import { formatCapability } from '../capability.js'
import type { Package } from '../package.js'
import type { Lookahead } from './lookahead.js'
import { isOperatingSystem, type Demand, type Problem } from './problem.js'

/** One dependency of one package, or of the subject (`needer` undefined), and what serves it. */
export interface Choice {
  readonly demand: Demand
  readonly needer: Package | undefined
  readonly taken: Package
  /** Whether it was in the set before this dependency asked for it. */
  readonly again: boolean
}

/** In the order of choice. */
export interface Solution {
  readonly chosen: readonly Package[]
  readonly choices: readonly Choice[]
}

/** A package of the set, or the subject, whose dependencies are being served. */
interface Frame {
  readonly owner: Package | undefined
  readonly demands: readonly Demand[]
  next: number
}

/**
 * Takes one dependency after the other, depth first, and for each the first candidate that is not refused.
 *
 * Without a lookahead it stops at the first dead end. With one, which refuses exactly the candidates that lead to no
 * solution, it never comes to a dead end unless there is no solution: so nothing is ever taken back, and the work does
 * not grow exponentially. There is no recursion either: a chain of dependencies may be longer than the stack.
 */
export class Search {
  readonly #problem: Problem
  readonly #lookahead: Lookahead | undefined
  readonly #chosen = new Set<Package>()
  readonly #choices: Choice[] = []
  /** What the set provides, by `type.name`. */
  readonly #provided = new Set<string>()
  /** From the subject inward; a package is a dependency of the one before it. */
  readonly #path: Frame[] = []
  readonly #onPath = new Set<Package>()
  #operatingSystem: Package | undefined

  constructor(problem: Problem, lookahead?: Lookahead) {
    this.#problem = problem
    this.#lookahead = lookahead
  }

  /** Undefined at a dead end. */
  run(): Solution | undefined {
    if (this.#lookahead?.begin() === false) return undefined
    this.#enter(undefined)
    for (let frame = this.#path.at(-1); frame; frame = this.#path.at(-1)) {
      const demand = frame.demands[frame.next++]
      if (!demand) {
        if (frame.owner) this.#onPath.delete(frame.owner)
        this.#path.pop()
        continue
      }
      const taken = this.#candidateFor(demand)
      if (!taken) return undefined
      const again = this.#chosen.has(taken)
      this.#choices.push({ demand, needer: frame.owner, taken, again })
      if (!again) this.#enter(taken)
    }
    return { chosen: [...this.#chosen], choices: this.#choices }
  }

  /** What is in the set already goes first; each of the two groups is in the order of preference. */
  #candidateFor(demand: Demand): Package | undefined {
    if (this.#provided.has(demand.key)) {
      const serving = demand.candidates.find((candidate) => this.#chosen.has(candidate) && !this.#onPath.has(candidate))
      if (serving) return serving
    }
    for (const candidate of demand.candidates) {
      if (this.#chosen.has(candidate) || (this.#operatingSystem && isOperatingSystem(candidate))) {
        if (!this.#lookahead) return undefined
        continue
      }
      if (!this.#lookahead || this.#lookahead.admits(candidate, this.#onPath)) return candidate
    }
    return undefined
  }

  #enter(owner: Package | undefined): void {
    const dependencies = owner ? owner.dependencies : this.#problem.dependencies
    this.#path.push({ owner, demands: dependencies.map((each) => this.#problem.demand(each)), next: 0 })
    if (!owner) return
    this.#chosen.add(owner)
    this.#onPath.add(owner)
    if (isOperatingSystem(owner)) this.#operatingSystem = owner
    for (const provided of owner.provides) this.#provided.add(formatCapability(provided))
  }
}
