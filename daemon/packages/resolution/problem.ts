import { formatFqn } from '../../../base/fqn.js'
import type { Capability } from '../metadata.js'
import type { Package } from '../package.js'
import { formatCapability } from '../capability.js'
import type { PackageIndex } from './package-index.js'
import type { DependencyRules, Rules } from './rules.js'

/** The input of a resolution. Computes the candidates of each dependency once. */
export class Problem {
  readonly #demands = new Map<string, Demand>()

  constructor(
    /** The owner of the dependencies, for the explanation. */
    readonly subject: string,
    readonly dependencies: readonly Capability[],
    readonly index: PackageIndex,
    readonly rules: Rules,
    /** UUID of the package that is being staged, which must not be chosen. */
    readonly excluded: string | undefined,
    readonly staged?: StagedPackage,
  ) {}

  /** Returns the same object for the same dependency. */
  demand(dependency: Capability): Demand {
    const key = formatCapability(dependency)
    let demand = this.#demands.get(key)
    if (!demand) this.#demands.set(key, (demand = this.#make(key, dependency)))
    return demand
  }

  /** Why `candidate` must not be taken for the demand, regardless of other choices; undefined if it may be. */
  objection(demand: Demand, candidate: Package): string | undefined {
    if (candidate.uuid === this.excluded) return 'is the package itself'
    return demand.rules?.objection(candidate)
  }

  #make(key: string, dependency: Capability): Demand {
    const providers = this.index.providersOf(dependency)
    const rules = this.rules.of(dependency)
    const demand: Demand = { key, dependency, providers, rules, candidates: providers }
    if (!rules && !providers.some(({ uuid }) => uuid === this.excluded)) return demand
    const candidates = providers.filter((candidate) => this.objection(demand, candidate) === undefined)
    if (rules) candidates.sort((a, b) => compare(rules.preference(a), rules.preference(b)))
    return { ...demand, candidates }
  }
}

/** The package that is being staged, for explanations. */
export interface StagedPackage {
  /** FQN. */
  readonly name: string
  readonly provides: readonly Capability[]
}

/** A dependency with its candidates, shared by all packages that have it. */
export interface Demand {
  /** `type.name`. */
  readonly key: string
  readonly dependency: Capability
  /** All packages that provide it, in order of import. */
  readonly providers: readonly Package[]
  readonly rules: DependencyRules | undefined
  /** The providers that the rules permit, in order of preference. */
  readonly candidates: readonly Package[]
}

export function isOperatingSystem(candidate: Package): boolean {
  return candidate.provides.some(({ type }) => type === 'os')
}

export function nameOf(found: Package): string {
  return formatFqn('package', found)
}

/** Not a subtraction, because Infinity minus Infinity is NaN. The sort is stable, so equals stay in order of import. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1
}
