import { Fault, messageOf } from '../../base/errors.js'
import { formatFqn } from '../../base/fqn.js'
import { catalogueOf, type Catalogue } from '../packages/catalogue.js'
import type { NamedPolicy } from '../packages/policy/subject-rules.js'
import { parsePolicy } from '../packages/policy/parse-policy.js'
import { PackageIndex } from '../packages/resolution/package-index.js'
import type { PackageRepository, PolicyDocument, PolicyRepository } from '../store/repositories.js'

/**
 * Provides the stored packages and policies for resolutions. Holds the only package index of the daemon and updates it
 * before each use.
 */
export class Resolver {
  readonly #packages: Pick<PackageRepository, 'listUsable'>
  readonly #policies: Pick<PolicyRepository, 'current'>
  readonly #index = new PackageIndex()
  #documents: readonly PolicyDocument[] = []
  #read: readonly NamedPolicy[] = []

  constructor(packages: Pick<PackageRepository, 'listUsable'>, policies: Pick<PolicyRepository, 'current'>) {
    this.#packages = packages
    this.#policies = policies
  }

  /** The current policies, in the order of the documents' names. Throws `Fault` (`policy-unreadable`). */
  async policies(): Promise<readonly NamedPolicy[]> {
    const documents = await this.#policies.current()
    // The repository returns the same array until a document changes.
    if (documents !== this.#documents) {
      this.#read = documents.map(read)
      this.#documents = documents
    }
    return this.#read
  }

  /**
   * @param work must not use the catalogue after it returns, because the index changes
   */
  async with<T>(work: (catalogue: Catalogue) => T): Promise<T> {
    const policies = await this.policies()
    const usable = await this.#packages.listUsable()
    return work(catalogueOf(usable, this.#index.follow(usable), policies))
  }
}

/** The text was checked when it was stored. If it cannot be parsed, it must not be ignored: it may contain a lock. */
function read({ namespace, name, text }: PolicyDocument): NamedPolicy {
  const fqn = formatFqn('policydoc', { namespace, name })
  try {
    return { fqn, policy: parsePolicy(text) }
  } catch (error) {
    throw new Fault(
      'policy-unreadable',
      `${fqn} cannot be parsed, and no dependencies are resolved without it: store it again. ${messageOf(error)}`,
      { cause: error },
    )
  }
}
