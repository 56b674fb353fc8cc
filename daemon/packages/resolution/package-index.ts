import type { Capability, CapabilityType } from '../metadata.js'
import type { Package } from '../package.js'

const NONE: readonly Package[] = []

/** Made once, because the options take longer than a comparison. */
const BY_NUMBERS = new Intl.Collator('en', { numeric: true })

/**
 * Packages by what they provide. All resolutions share one index; a resolution excludes packages (such as the package
 * being staged) by a predicate.
 *
 * INVARIANTS
 * - The providers of a capability are in order of import, each once.
 * - Updates of the index and resolutions are synchronous, so the index never changes during a resolution.
 */
export class PackageIndex {
  readonly #byType = new Map<CapabilityType, Map<string, Package[]>>()
  #packages: readonly Package[] = NONE

  /** @param packages in order of import */
  constructor(packages: readonly Package[] = NONE) {
    this.follow(packages)
  }

  /**
   * Updates the index to `packages`, which must be in order of import and must not change afterwards. Only differences
   * are applied: one more package among a hundred thousand costs a scan of the array, not a new index.
   */
  follow(packages: readonly Package[]): this {
    const before = this.#packages
    if (before === packages) return this
    this.#packages = packages
    let old = 0
    for (const candidate of packages) {
      while (old < before.length && order(before[old]) < candidate.importOrder) this.#remove(before[old++])
      const same = before[old]
      if (same?.importOrder === candidate.importOrder) {
        old++
        if (same === candidate) continue
        this.#remove(same)
      }
      this.#add(candidate)
    }
    while (old < before.length) this.#remove(before[old++])
    return this
  }

  /** In order of import. The caller must not modify the array. */
  providersOf({ type, name }: Capability): readonly Package[] {
    return this.#byType.get(type)?.get(name) ?? NONE
  }

  /** Every name that is provided with a type, with numbers in their order: `node-9` before `node-18`. */
  namesOf(type: CapabilityType): readonly string[] {
    return [...(this.#byType.get(type)?.keys() ?? [])].sort(BY_NUMBERS.compare)
  }

  #add(candidate: Package): void {
    for (const { type, name } of candidate.provides) {
      let byName = this.#byType.get(type)
      if (!byName) this.#byType.set(type, (byName = new Map<string, Package[]>()))
      const providers = byName.get(name)
      if (providers) insert(providers, candidate)
      else byName.set(name, [candidate])
    }
  }

  #remove(candidate: Package | undefined): void {
    for (const { type, name } of candidate?.provides ?? []) {
      const byName = this.#byType.get(type)
      const rest = byName?.get(name)?.filter((other) => other !== candidate) ?? []
      if (rest.length > 0) byName?.set(name, rest)
      else byName?.delete(name)
    }
  }
}

function insert(providers: Package[], candidate: Package): void {
  let place = providers.length
  // Search from the end: packages are usually added in order of import.
  while (place > 0 && order(providers[place - 1]) > candidate.importOrder) place--
  if (providers[place - 1] !== candidate) providers.splice(place, 0, candidate)
}

function order(candidate: Package | undefined): number {
  return candidate?.importOrder ?? Infinity
}
