import { catalogueOf, type Catalogue } from '../packages/catalogue.js'
import { ParsedPolicies } from '../packages/policy/parsed-policies.js'
import { PackageIndex } from '../packages/resolution/package-index.js'
import type { PackageRepository, PolicyRepository } from '../store/repositories.js'

/**
 * Provides the stored packages and policies for resolutions. Holds the only package index of the daemon and updates it
 * before each use.
 */
export class Resolver {
  readonly #packages: Pick<PackageRepository, 'listUsable'>
  readonly #policies: Pick<PolicyRepository, 'current'>
  readonly #index = new PackageIndex()
  readonly #parsed = new ParsedPolicies()

  constructor(packages: Pick<PackageRepository, 'listUsable'>, policies: Pick<PolicyRepository, 'current'>) {
    this.#packages = packages
    this.#policies = policies
  }

  /**
   * @param work must not use the catalogue after it returns, because the index changes
   *
   * Throws `Fault` (`policy-unreadable`), and what `work` throws.
   */
  async with<T>(work: (catalogue: Catalogue) => T): Promise<T> {
    const policies = this.#parsed.of(await this.#policies.current())
    const usable = await this.#packages.listUsable()
    return work(catalogueOf(usable, this.#index.follow(usable), policies))
  }
}
