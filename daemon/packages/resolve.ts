import { Unresolved } from '../../base/errors.js'
import { formatFqn } from '../../base/fqn.js'
import { formatCapability } from './capability.js'
import type { Capability } from './metadata.js'
import type { Package } from './package.js'

/**
 * From dependencies to a complete set of concrete packages.
 *
 * RULES, in order
 * 1. A package that is already in the set and provides the dependency serves it.
 * 2. Otherwise the first imported of those that provide it.
 * 3. A candidate is given up, and the next one tried, when it cannot stand with the rest: its own dependencies have no
 *    solution, it would be a second operating system, or it would depend on itself.
 *
 * The search is depth first with backtracking, so the answer is the first one in that order of preference: the same
 * packages and the same dependencies always give the same answer.
 */
export interface Resolution {
  /** Every package of the closure: the operating system first, each after everything that it depends on. */
  readonly packages: readonly Package[]
  readonly decisions: readonly Decision[]
}

/** Why one dependency was served as it was. */
export interface Decision {
  readonly dependency: Capability
  /** Names, from the outermost: who needs it. */
  readonly neededBy: readonly string[]
  readonly taken: string
  readonly because: 'already chosen' | 'the only candidate' | 'the first imported' | 'others were refused'
}

/** One thing that is needed, and by whom: the reason for a choice, and for a failure. */
interface Goal {
  readonly dependency: Capability
  /** From the package that needs it, outward; empty for what was asked for. */
  readonly ancestors: readonly Package[]
}

interface State {
  /** In the order of choice. */
  readonly chosen: readonly Package[]
  readonly choices: readonly Choice[]
}

interface Choice {
  readonly goal: Goal
  readonly taken: Package
  readonly because: Decision['because']
}

/** Packages by what they provide, in order of import. Build it once for a universe of packages. */
export class Universe {
  readonly #providers = new Map<string, Package[]>()

  /** @param packages in order of import */
  constructor(packages: Iterable<Package>) {
    for (const candidate of packages) {
      for (const capability of new Set(candidate.provides.map(formatCapability))) {
        const providers = this.#providers.get(capability)
        if (providers) providers.push(candidate)
        else this.#providers.set(capability, [candidate])
      }
    }
  }

  providersOf(dependency: Capability): readonly Package[] {
    return this.#providers.get(formatCapability(dependency)) ?? []
  }
}

/**
 * Throws `Unresolved` (`unresolved`), whose message names every dead end by name.
 *
 * @param subject whose dependencies these are, for the explanation
 */
export function resolve(subject: string, dependencies: readonly Capability[], universe: Universe): Resolution {
  const search = new Search(subject, universe)
  const goals = dependencies.map((dependency) => ({ dependency, ancestors: [] }))
  const solution = search.solve(goals, { chosen: [], choices: [] })
  if (!solution) {
    const wanted = dependencies.map(formatCapability).join(', ')
    throw new Unresolved(
      'unresolved',
      [`The dependencies of ${subject} (${wanted}) cannot be resolved:`, ...search.deadEnds].join('\n  - '),
    )
  }
  return { packages: inLayerOrder(solution), decisions: solution.choices.map(explain) }
}

class Search {
  readonly deadEnds = new Set<string>()

  constructor(
    readonly subject: string,
    readonly universe: Universe,
  ) {}

  /** The rest of the goals, with what has been chosen so far; undefined when there is no way. */
  solve(goals: readonly Goal[], state: State): State | undefined {
    const [goal, ...rest] = goals
    if (!goal) return state

    const already = state.chosen.find((chosen) => provides(chosen, goal.dependency))
    if (already) {
      const circle = this.#circle(goal, already)
      if (circle) {
        this.#deadEnd(circle)
        return undefined
      }
      return this.solve(rest, choose(state, goal, already, 'already chosen'))
    }

    const candidates = this.universe.providersOf(goal.dependency)
    if (candidates.length === 0)
      this.#deadEnd(
        `nothing provides ${formatCapability(goal.dependency)}, which ${this.#needer(goal)}: import a package that does`,
      )

    let refused = false
    for (const candidate of candidates) {
      const objection = this.#objection(goal, candidate, state)
      if (objection) {
        this.#deadEnd(objection)
      } else {
        const because = refused
          ? 'others were refused'
          : candidates.length === 1
            ? 'the only candidate'
            : 'the first imported'
        const next = choose(state, goal, candidate, because)
        const own = candidate.dependencies.map((dependency) => ({
          dependency,
          ancestors: [candidate, ...goal.ancestors],
        }))
        const solution = this.solve([...own, ...rest], next)
        if (solution) return solution
      }
      refused = true
    }
    return undefined
  }

  #objection(goal: Goal, candidate: Package, state: State): string | undefined {
    if (!isOperatingSystem(candidate)) return undefined
    const other = state.chosen.find(isOperatingSystem)
    if (!other) return undefined
    return `${nameOf(candidate)} provides ${formatCapability(goal.dependency)}, which ${this.#needer(goal)}, but ${nameOf(other)} is the operating system already, and there can be only one`
  }

  #circle(goal: Goal, provider: Package): string | undefined {
    const end = goal.ancestors.indexOf(provider)
    if (end < 0) return undefined
    const names = [...goal.ancestors.slice(0, end + 1).reverse(), provider].map(nameOf)
    return `${nameOf(provider)} depends on itself: ${names.join(' -> ')}`
  }

  #needer(goal: Goal): string {
    const [direct, ...outer] = goal.ancestors
    if (!direct) return `${this.subject} needs`
    const chain = outer.map((ancestor) => `, needed by ${nameOf(ancestor)}`).join('')
    return `${nameOf(direct)} needs${chain}`
  }

  #deadEnd(reason: string): void {
    this.deadEnds.add(reason)
  }
}

function choose(state: State, goal: Goal, taken: Package, because: Decision['because']): State {
  const chosen = because === 'already chosen' ? state.chosen : [...state.chosen, taken]
  return { chosen, choices: [...state.choices, { goal, taken, because }] }
}

function explain({ goal, taken, because }: Choice): Decision {
  return {
    dependency: goal.dependency,
    neededBy: goal.ancestors.map(nameOf).reverse(),
    taken: nameOf(taken),
    because,
  }
}

/** The operating system first; then each package after its dependencies, otherwise in the order of choice. */
function inLayerOrder({ chosen, choices }: State): readonly Package[] {
  const below = new Map<Package | undefined, Package[]>()
  for (const { goal, taken } of choices) {
    const needer = goal.ancestors[0]
    below.set(needer, [...(below.get(needer) ?? []), taken])
  }
  const placed = new Set<Package>()
  // Ends, because the search admits no circle among the choices.
  const place = (candidate: Package): void => {
    if (placed.has(candidate)) return
    below.get(candidate)?.forEach(place)
    placed.add(candidate)
  }
  chosen.filter(isOperatingSystem).forEach(place)
  chosen.forEach(place)
  return [...placed]
}

function isOperatingSystem(candidate: Package): boolean {
  return candidate.provides.some(({ type }) => type === 'os')
}

function provides(candidate: Package, { type, name }: Capability): boolean {
  return candidate.provides.some((provided) => provided.type === type && provided.name === name)
}

function nameOf({ namespace, name }: Package): string {
  return formatFqn({ kind: 'package', namespace, name })
}
