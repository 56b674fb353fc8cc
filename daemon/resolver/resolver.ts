import { Fault, messageOf } from '../../base/errors.js'
import { formatFqn } from '../../base/fqn.js'
import { catalogueOf, type Catalogue } from '../packages/catalogue.js'
import type { NamedPolicy } from '../packages/policy/subject-rules.js'
import { parsePolicy } from '../packages/policy/parse-policy.js'
import { PackageIndex } from '../packages/resolution/package-index.js'
import type { PackageRepository, PolicyDocument, PolicyRepository } from '../store/repositories.js'

/**
 * Hands what is stored to whoever resolves. The one index of the daemon is here: it follows the packages that are ready,
 * and is as new as they are each time it is used.
 */
export class Resolver {
  readonly #packages: Pick<PackageRepository, 'listReady'>
  readonly #policies: Pick<PolicyRepository, 'current'>
  readonly #index = new PackageIndex()
  #documents: readonly PolicyDocument[] = []
  #read: readonly NamedPolicy[] = []

  constructor(packages: Pick<PackageRepository, 'listReady'>, policies: Pick<PolicyRepository, 'current'>) {
    this.#packages = packages
    this.#policies = policies
  }

  /** What is claimed at this moment, in the order of the documents' names. Throws `Fault` (`policy-unreadable`). */
  async policies(): Promise<readonly NamedPolicy[]> {
    const documents = await this.#policies.current()
    // The same array, as long as nothing has changed.
    if (documents !== this.#documents) {
      this.#read = documents.map(read)
      this.#documents = documents
    }
    return this.#read
  }

  /**
   * @param work must be done with the catalogue when it returns: the index goes on to follow
   */
  async with<T>(work: (catalogue: Catalogue) => T): Promise<T> {
    const policies = await this.policies()
    const ready = await this.#packages.listReady()
    return work(catalogueOf(ready, this.#index.follow(ready), policies))
  }
}

/** It was checked when it was stored; but what refuses now is not to be left out, since it may be a lock. */
function read({ namespace, name, text }: PolicyDocument): NamedPolicy {
  const fqn = formatFqn('policydoc', { namespace, name })
  try {
    return { fqn, policy: parsePolicy(text) }
  } catch (error) {
    throw new Fault(
      'policy-unreadable',
      `${fqn} cannot be read any more, so nothing is resolved: put it anew. ${messageOf(error)}`,
      { cause: error },
    )
  }
}
