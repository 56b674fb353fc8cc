import { formatFqn } from '../../../base/fqn.js'
import type { Capability } from '../metadata.js'
import type { Package } from '../package.js'
import { formatCapability } from '../capability.js'
import type { PackageIndex } from './package-index.js'
import type { DependencyRules, Rules } from './rules.js'

/** What is asked of a resolution, with the candidates of each dependency worked out once. */
export class Problem {
  readonly #demands = new Map<string, Demand>()

  constructor(
    /** Whose dependencies these are, for the explanation. */
    readonly subject: string,
    readonly dependencies: readonly Capability[],
    readonly index: PackageIndex,
    readonly rules: Rules,
    /** UUID of a package that must not serve: the one that is being staged. */
    readonly excluded: string | undefined,
    readonly staged?: StagedPackage,
  ) {}

  /** The same object for the same dependency. */
  demand(dependency: Capability): Demand {
    const key = formatCapability(dependency)
    let demand = this.#demands.get(key)
    if (!demand) this.#demands.set(key, (demand = this.#make(key, dependency)))
    return demand
  }

  /** Why `candidate` may not serve, whatever else is chosen. */
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

/** What an explanation says of a package that is being staged. */
export interface StagedPackage {
  /** FQN. */
  readonly name: string
  readonly provides: readonly Capability[]
}

/** One dependency, whoever needs it. */
export interface Demand {
  /** `type.name`. */
  readonly key: string
  readonly dependency: Capability
  /** All that provide it, in order of import. */
  readonly providers: readonly Package[]
  readonly rules: DependencyRules | undefined
  /** Those that may serve by the rules, the preferred first. */
  readonly candidates: readonly Package[]
}

export function isOperatingSystem(candidate: Package): boolean {
  return candidate.provides.some(({ type }) => type === 'os')
}

export function nameOf(found: Package): string {
  return formatFqn('package', found)
}

/** Infinity minus Infinity is no number. The sort is stable, so equals stay in order of import. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1
}
