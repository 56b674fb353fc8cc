import { NotFound } from '../../base/errors.js'
import { isWithin } from '../../base/fqn.js'
import type { Isolation, StagerCache } from '../../isolation/isolation.js'
import type { Package } from '../packages/package.js'
import type { PackageRepository, Ref, Stager, StagerRepository } from '../store/repositories.js'

export interface StagerCachesParts {
  readonly isolation: Pick<Isolation, 'stagerCaches' | 'discard'>
  readonly packages: Pick<PackageRepository, 'get'>
  readonly stagers: Pick<StagerRepository, 'get'>
}

export interface CacheFilter {
  /** That of the package, and all below it. */
  readonly namespace?: string | undefined
  readonly stager?: Ref | undefined
  readonly package?: Ref | undefined
}

/** A cache, and what it belongs to. */
export interface KnownCache extends StagerCache {
  readonly package: Package
  readonly stager: Stager
}

/** What is kept for stagers from one staging of a package to the next. */
export class StagerCaches {
  constructor(private readonly parts: StagerCachesParts) {}

  /** The latest use first. Throws `NotFound` for a stager or package that does not exist. */
  async list(filter: CacheFilter = {}): Promise<readonly KnownCache[]> {
    const { packages, stagers } = this.parts
    const stager = filter.stager && (await stagers.get(filter.stager))
    const wanted = filter.package && (await packages.get(filter.package))
    const known = (await this.#sorted()).known.filter(
      (one) =>
        (!stager || one.stagerUuid === stager.uuid) &&
        (!wanted || one.packageUuid === wanted.uuid) &&
        isWithin(one.package.namespace, filter.namespace ?? '/'),
    )
    return known.toSorted((a, b) => b.usedAt.getTime() - a.usedAt.getTime())
  }

  /** Those that were emptied. A launch that runs goes on with what it has found. */
  async clear(filter: CacheFilter): Promise<readonly KnownCache[]> {
    const chosen = await this.list(filter)
    for (const one of chosen) await this.parts.isolation.discard(one)
    return chosen
  }

  /** Removes the caches of deleted packages and stagers. */
  async forgetDeleted(): Promise<void> {
    for (const one of (await this.#sorted()).lost) await this.parts.isolation.discard(one)
  }

  async #sorted(): Promise<{ readonly known: readonly KnownCache[]; readonly lost: readonly StagerCache[] }> {
    const { isolation, packages, stagers } = this.parts
    const known: KnownCache[] = []
    const lost: StagerCache[] = []
    for (const one of await isolation.stagerCaches()) {
      const [ofPackage, ofStager] = await Promise.all([
        orNothing(packages.get({ uuid: one.packageUuid })),
        orNothing(stagers.get({ uuid: one.stagerUuid })),
      ])
      if (ofPackage && ofStager) known.push({ ...one, package: ofPackage, stager: ofStager })
      else lost.push(one)
    }
    return { known, lost }
  }
}

async function orNothing<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    if (error instanceof NotFound) return undefined
    throw error
  }
}
