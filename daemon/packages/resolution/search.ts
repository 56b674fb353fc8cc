import { formatCapability } from '../capability.js'
import type { Package } from '../package.js'
import type { Lookahead } from './lookahead.js'
import { isOperatingSystem, type Demand, type Problem } from './problem.js'

/** A dependency of a package, or of the subject (`dependent` undefined), and the package that satisfies it. */
export interface Choice {
  readonly demand: Demand
  readonly dependent: Package | undefined
  readonly taken: Package
  /** Whether `taken` was already chosen for an earlier dependency. */
  readonly reused: boolean
}

/** In the order of choice. */
export interface Solution {
  readonly chosen: readonly Package[]
  readonly choices: readonly Choice[]
}

/** A chosen package, or the subject (`owner` undefined), whose dependencies are being resolved. */
interface Frame {
  readonly owner: Package | undefined
  readonly demands: readonly Demand[]
  next: number
}

/**
 * Resolves dependencies one after the other, depth first, and takes the first candidate that is not refused.
 *
 * Without a lookahead it stops at the first dead end. The lookahead refuses exactly the candidates that lead to no
 * solution. With it, the search reaches a dead end only if there is no solution, so it never backtracks and is not
 * exponential. It does not recurse, because a chain of dependencies may exceed the call stack.
 */
export class Search {
  readonly #problem: Problem
  readonly #lookahead: Lookahead | undefined
  readonly #chosen = new Set<Package>()
  readonly #choices: Choice[] = []
  /** What the chosen packages provide, as `type.name`. */
  readonly #provided = new Set<string>()
  /** From the subject inward; each package is a dependency of the one before it. */
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
      const reused = this.#chosen.has(taken)
      this.#choices.push({ demand, dependent: frame.owner, taken, reused })
      if (!reused) this.#enter(taken)
    }
    return { chosen: [...this.#chosen], choices: this.#choices }
  }

  /** Chosen packages come first, then the others, each group in order of preference. */
  #candidateFor(demand: Demand): Package | undefined {
    if (this.#provided.has(demand.key)) {
      const chosen = demand.candidates.find((candidate) => this.#chosen.has(candidate) && !this.#onPath.has(candidate))
      if (chosen) return chosen
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
